#!/bin/sh
# Runs one of the project's tools with the project's own Node (toolchain/), bringing both on first use.
# usage: scripts/with-node.sh COMMAND [ARGUMENT...]
set -eu
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
. "$root/scripts/node-env.sh"
exec "$@"
