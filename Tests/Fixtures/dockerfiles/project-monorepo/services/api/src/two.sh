echo api two
