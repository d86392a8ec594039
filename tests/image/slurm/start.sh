#!/bin/sh
# The controller on the host ctl, a node on any other.
set -eu
chown munge: /run/munge
runuser -u munge -- munged
if [ "$(hostname)" = ctl ]; then
  exec slurmctld -D
fi
chmod 666 /dev/fuse
exec slurmd -D -N "$(hostname)"
