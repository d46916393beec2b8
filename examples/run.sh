#!/bin/sh
# run.sh NAME: plays the example of that name. Each example's own run.sh calls this.
set -eu
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
. "$root/scripts/node-env.sh"
cd "$root"
./kgraft doctor --install >/dev/null
exec node examples/run.ts "$1"
