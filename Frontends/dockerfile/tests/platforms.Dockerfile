FROM --platform=$BUILDPLATFORM alpine:3 AS tools
ARG TARGETARCH
RUN echo building for $TARGETARCH > /out

FROM debian:12
COPY --from=tools /out /out
COPY <<one <<two /etc/app/
first
one
second
two
