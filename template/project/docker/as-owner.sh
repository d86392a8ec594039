#!/bin/sh
# Run a command as the owner of the mounted project, so that files written there belong to that user and not to root.
set -eu
owner=$(stat -c %u /app)
group=$(stat -c %g /app)
if [ "$(id -u)" = 0 ] && [ "$owner" != 0 ]; then
  exec setpriv --reuid "$owner" --regid "$group" --groups "$group,$(id -G | tr ' ' ,)" "$@"
fi
exec "$@"
