#!/bin/busybox sh
# The guest's first process: mounts, loads the modules that the host chose, starts one serve.sh for each slot, and
# from then on only takes in orphans. The console (ttyS0) is left to the kernel.
/bin/busybox --install -s /bin
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root
mount -t devtmpfs none /dev
mount -t proc none /proc
mount -t sysfs none /sys
mount -t tmpfs none /tmp
mount -t tmpfs none /run
mount -t debugfs none /sys/kernel/debug 2>/dev/null
mount -t tracefs none /sys/kernel/tracing 2>/dev/null
mkdir -p /run/lab
ln -s /proc/self/fd /dev/fd
ln -s /proc/self/fd/0 /dev/stdin
ln -s /proc/self/fd/1 /dev/stdout
ln -s /proc/self/fd/2 /dev/stderr

while read -r module; do
  insmod "/lab/modules/$module.ko" 2>>/run/lab/failed
done </lab/order
if [ -e /lab/share ]; then
  mkdir -p /share
  mount -t virtiofs share /share 2>>/run/lab/failed
fi

read -r slots </lab/slots
slot=0
while [ "$slot" -lt "$slots" ]; do
  stdout=/dev/vport0p$((2 * slot + 1)) stderr=/dev/vport0p$((2 * slot + 2))
  tries=0
  until [ -e "$stdout" ] && [ -e "$stderr" ]; do
    tries=$((tries + 1))
    # Without its channel the guest is of no use: leaving the first process panics the kernel, which the host sees.
    if [ "$tries" -gt 500 ]; then
      echo "<2>lab: $stdout is missing: $(cat /run/lab/failed)" >/dev/kmsg
      exit 1
    fi
    usleep 10000
  done
  # Not `&`: a shell has its background jobs ignore SIGINT, and every command would inherit that.
  start-stop-daemon -S -b -x /lab/serve -- "$stdout" "$stderr"
  slot=$((slot + 1))
done
# While this shell waits for a child, it takes in every other one, orphans too.
while :; do
  sleep 1000000
done
