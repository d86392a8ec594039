# A browser, and the library that drives it.
FROM node:24-trixie-slim
RUN apt-get update && apt-get install --yes --no-install-recommends chromium fonts-dejavu-core
WORKDIR /browser
RUN npm install --no-audit --no-fund playwright-core@1.65.1
