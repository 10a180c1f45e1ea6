FROM alpine:3
RUN echo hello > /greeting
CMD ["cat", "/greeting"]
