echo api one
