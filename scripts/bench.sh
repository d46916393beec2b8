#!/bin/sh
# bench.sh [NAME [ARGUMENT...]]: all benchmarks, or one. Each prints tables with ratios measured side by side; none
# passes or fails on a time. coverage.ts compiles a whole update and tries it in guests: most of an hour from cold.
set -eu
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
. "$root/scripts/node-env.sh"
cd "$root"
if [ $# -gt 0 ]; then
  name=$1
  shift
  exec node "bench/$name.ts" "$@"
fi
for bench in bench/*.ts; do
  node "$bench"
done
