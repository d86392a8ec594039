RUN --mount=type=bind,source=docker/packages.txt,target=/tmp/packages.txt \
    # Without a byte order mark, carriage returns and the zeros of UTF-16, which editors of Windows write.
    packages=$(LC_ALL=C tr -d '\000\r\273\277\357\376\377' < /tmp/packages.txt | sed 's/#.*//') \
 && if [ -n "$packages" ]; then \
      apt-get update \
      && echo "$packages" | xargs apt-get install --yes --no-install-recommends \
      && rm -rf /var/cache/* /var/lib/apt/lists/* /var/log/*; \
    fi
