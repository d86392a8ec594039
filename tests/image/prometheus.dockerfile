# Prometheus of Debian's package, where the published image has it and as whom.
FROM debian:trixie-slim
RUN apt-get update && apt-get install --yes --no-install-recommends busybox prometheus \
 && ln -s /bin/busybox /usr/local/bin/wget \
 && mkdir /prometheus \
 && chown nobody:nogroup /prometheus
USER nobody
VOLUME /prometheus
WORKDIR /prometheus
ENTRYPOINT ["/bin/prometheus"]
