RUN --mount=type=bind,source=docker/packages.txt,target=/tmp/packages.txt \
    packages=$(sed 's/#.*//' /tmp/packages.txt) \
 && if [ -n "$packages" ]; then \
      apt-get update \
      && echo "$packages" | xargs apt-get install --yes --no-install-recommends \
      && rm -rf /var/cache/* /var/lib/apt/lists/* /var/log/*; \
    fi
