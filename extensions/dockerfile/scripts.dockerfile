
# Scripts that can run, whatever Git and editors of other systems made of their line breaks and modes.
FROM base AS scripts
RUN --mount=type=bind,source=docker,target=/docker \
    mkdir /scripts \
 && for script in as-owner entrypoint healthcheck with-indexes; do \
      [ ! -f "/docker/$script.sh" ] || tr -d '\r' < "/docker/$script.sh" > "/scripts/$script"; \
    done \
 && chmod 755 /scripts/*
