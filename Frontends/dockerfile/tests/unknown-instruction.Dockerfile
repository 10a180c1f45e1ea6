FROM alpine:3
RUM echo hello
