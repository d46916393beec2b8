#!/bin/busybox sh
# The guest's first process: mounts, loads the modules that the host chose, starts one serve.sh for each slot, and
# from then on only takes in orphans. The console (ttyS0) is left to the kernel. Where the guest runs from a disk, it
# goes over to that before the slots start, as an initramfs does.
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

if [ -e /lab/root ]; then
  # Busybox's programs stay out of the system's way, under /run/lab/bin.
  mkdir /run/lab/bin
  cp /bin/busybox /run/lab/bin/
  for program in $(busybox --list); do ln -s busybox "/run/lab/bin/$program"; done
  mount -t ext4 /dev/vda /root-disk 2>>/run/lab/failed
  while read -r file; do
    mkdir -p "/root-disk${file%/*}"
    cp -p "$file" "/root-disk$file" 2>>/run/lab/failed
  done </lab/files
  cp /lab/serve /lab/slots /run/lab/
  cp /lab/go-on /run/lab/init
  if [ -e /lab/share ]; then
    mkdir -p /root-disk/share
    mount -o move /share /root-disk/share
  fi
  umount /tmp
  init=$(cat /lab/root)
  for place in dev proc sys run; do mount -o move "/$place" "/root-disk/$place"; done
  exec switch_root /root-disk /run/lab/bin/sh /run/lab/init "$init"
fi
cp /lab/serve /lab/slots /run/lab/
ln -s /bin /run/lab/bin
exec /bin/sh /lab/go-on none
