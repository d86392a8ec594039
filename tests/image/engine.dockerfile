# A Docker engine with nothing in it, whose socket is in /run/engine.
FROM debian:trixie-slim
RUN apt-get update \
 && apt-get install --yes --no-install-recommends ca-certificates docker-cli docker.io iptables \
 && mkdir -p /etc/docker \
 && echo '{"features": {"containerd-snapshotter": true}}' > /etc/docker/daemon.json
ENV DOCKER_HOST=unix:///run/engine/docker.sock
# An overlay cannot hold the overlays of images.
VOLUME /var/lib/docker
CMD ["dockerd", "--host=unix:///run/engine/docker.sock", "--exec-opt=native.cgroupdriver=cgroupfs"]
