# A container registry with one account, from Debian's package.
FROM python:3.11-slim-trixie
RUN apt-get update && apt-get install --yes --no-install-recommends apache2-utils docker-registry \
 && htpasswd -Bbn somebody secret > /etc/docker/registry/htpasswd
ENV REGISTRY_STORAGE_DELETE_ENABLED=true
CMD ["docker-registry", "serve", "/etc/docker/registry/config.yml"]
