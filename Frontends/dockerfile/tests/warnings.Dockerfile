from alpine:3 as Build
MAINTAINER somebody
ENV key value
RUN echo $MISSING
CMD echo done
