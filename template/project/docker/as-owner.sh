#!/bin/sh
# Runs a command as the owner of the mounted project, so that the files it writes there are its owner's and not root's.
set -eu
owner=$(stat -c %u /app)
group=$(stat -c %g /app)
if [ "$(id -u)" = 0 ] && [ "$owner" != 0 ]; then
  exec setpriv --reuid "$owner" --regid "$group" --groups "$group,$(id -G | tr ' ' ,)" "$@"
fi
exec "$@"
