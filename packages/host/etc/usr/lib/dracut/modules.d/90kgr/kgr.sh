#!/bin/sh
# The root file system is mounted at $NEWROOT: last moment before the first process.
sh /usr/lib/kgr/early "$NEWROOT"
