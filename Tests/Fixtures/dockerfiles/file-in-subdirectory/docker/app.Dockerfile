FROM scratch
COPY src/x /x
COPY docker/app.Dockerfile /dockerfile
