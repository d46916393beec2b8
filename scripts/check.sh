#!/bin/sh
# The quick gate: static checks and unit tests. Under a minute.
set -eu
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
. "$root/scripts/node-env.sh"
cd "$root"
. "$root/scripts/test-tools.sh"
scripts/static.sh
vitest run --project unit
