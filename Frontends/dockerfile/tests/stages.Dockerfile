ARG BASE=alpine:3
FROM $BASE AS build
ARG VERSION=1
ENV VERSION=${VERSION}
WORKDIR /src
COPY . .
RUN --mount=type=cache,target=/root/.cache,id=build \
    --mount=type=secret,id=token \
    make VERSION=$VERSION

FROM scratch AS files
COPY --from=build /src/out/ /

FROM gcr.io/distroless/static AS web
LABEL org.example.version="1" org.example.name="web"
COPY --from=files --chown=65532:65532 --chmod=0755 app /app
ADD https://example.com/data.txt /data/
EXPOSE 8080/tcp 9000/udp
USER 65532
HEALTHCHECK --interval=30s CMD ["/app", "health"]
ENTRYPOINT ["/app"]
