#!/bin/sh
# A whole update of the distribution: what of it a live patch carries, as text and as a page, and one cumulative live
# patch of all that is carried, loaded in a guest.
#
#     examples/plan/run.sh [DIRECTORY]
#
# The page and the live patch stay in the directory.
set -eu
root=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd)
kgraft="$root/kgraft"
release=6.1.0-55-cloud-amd64
update="--from 6.1.192-1 --to 6.1.192-2"
"$kgraft" doctor --install >/dev/null
"$kgraft" kernel fetch "$release"
work=${1:-$(mktemp -d)}
mkdir -p "$work"
cd "$work"

echo "\$ kgraft plan --kernel $release $update --build --html plan.html"
# shellcheck disable=SC2086 # words
"$kgraft" plan --kernel "$release" $update --build --html plan.html
echo "the page: $PWD/plan.html"

echo "\$ kgraft lab run --kernel $release --load kgraft_6_1_192_2.ko -- kgr patches -vv"
"$kgraft" lab run --kernel "$release" --load kgraft_6_1_192_2.ko -- kgr patches -vv
