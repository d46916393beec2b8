#!/usr/lib/lab/busybox sh
# agent: lets a system on a disk that started by itself take commands, as init.sh does for one that it starts. Run by
# lab.service (src/agent.ts). Nothing may be executed from /run there, so the lab gets a place of its own.
busybox=/usr/lib/lab/busybox
$busybox mkdir -p /run/lab
$busybox mount -t tmpfs none /run/lab
$busybox mkdir /run/lab/bin
$busybox cp $busybox /run/lab/bin/busybox
/run/lab/bin/busybox --install -s /run/lab/bin
$busybox cp /usr/lib/lab/serve /usr/lib/lab/slots /run/lab/
: >/run/lab/failed
modprobe virtio_console
exec /run/lab/bin/sh /usr/lib/lab/go-on none
