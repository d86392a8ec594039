# A thread for each CPU that this container may use, not for each that the machine has.
if [ -z "${OMP_NUM_THREADS:-}" ]; then
  cpus=$(nproc)
  quota=max
  period=100000
  if [ -r /sys/fs/cgroup/cpu.max ]; then
    read -r quota period < /sys/fs/cgroup/cpu.max
  elif [ -r /sys/fs/cgroup/cpu/cpu.cfs_quota_us ]; then
    read -r quota < /sys/fs/cgroup/cpu/cpu.cfs_quota_us
    read -r period < /sys/fs/cgroup/cpu/cpu.cfs_period_us
  fi
  if [ "$quota" != max ] && [ "$quota" -gt 0 ]; then
    allowed=$(((quota + period - 1) / period))
    [ "$allowed" -ge "$cpus" ] || cpus=$allowed
  fi
  export OMP_NUM_THREADS="$cpus"
fi
