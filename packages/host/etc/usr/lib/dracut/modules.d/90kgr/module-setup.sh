#!/bin/bash
# The live patch of the running kernel, loaded from the root file system before the first process (dracut.modules(7)).

check() {
  [[ -x /usr/sbin/kgr ]]
}

depends() {
  echo base
}

install() {
  inst_multiple chroot mount umount
  inst_script /usr/lib/kgr/early
  inst_hook pre-pivot 50 "$moddir/kgr.sh"
}
