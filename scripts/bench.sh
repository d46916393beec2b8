#!/bin/sh
# Benchmarks: each prints a table with ratios measured side by side. They never pass or fail on a time.
set -eu
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
. "$root/scripts/node-env.sh"
cd "$root"
for bench in bench/*.ts; do
  node "$bench" "$@"
done
