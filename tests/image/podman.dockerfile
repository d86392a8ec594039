# Podman runs the pods of Kubernetes manifests, without a cluster.
FROM debian:trixie-slim
RUN apt-get update \
 && apt-get install --yes --no-install-recommends aardvark-dns ca-certificates catatonit crun netavark nftables podman \
 && printf '[engine]\ncgroup_manager = "cgroupfs"\nevents_logger = "file"\nruntime = "crun"\n' > /etc/containers/containers.conf
# An overlay cannot hold the overlays of images.
VOLUME /var/lib/containers
CMD ["sleep", "infinity"]
