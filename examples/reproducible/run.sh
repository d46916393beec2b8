#!/bin/sh
# Same inputs, same bytes: one live patch built twice, the second time in another directory, with a kernel at another
# path and nothing compiled before, and says whether both modules and manifests are equal.
set -eu
root=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd)
kgraft="$root/kgraft"
release=6.1.0-55-cloud-amd64
cache=${KGRAFT_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/kgraft}
"$kgraft" doctor --install >/dev/null
"$kgraft" kernel fetch "$release"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$kgraft" diff --from 6.1.192-1 --to 6.1.192-2 >"$work/fix.patch"
mkdir -p "$work/here" "$work/there" "$work/cache/kernels"

echo "\$ kgraft build --kernel $release fix.patch"
"$kgraft" build --kernel "$release" "$work/fix.patch" --name fix -o "$work/here"

# The same kernel at another path; what was compiled of it stays behind.
cp -al "$cache/kernels/$release" "$work/cache/kernels/" 2>/dev/null ||
  cp -a "$cache/kernels/$release" "$work/cache/kernels/"
rm -rf "$work/cache/kernels/$release/objects" "$work/cache/kernels/$release/glue"
echo "\$ KGRAFT_CACHE=$work/cache TZ=Asia/Taipei kgraft build --kernel $release fix.patch"
cd "$work/there"
KGRAFT_CACHE=$work/cache TZ=Asia/Taipei "$kgraft" build --kernel "$release" "$work/fix.patch" --name fix

cd "$work"
sha256sum here/fix.ko there/fix.ko here/fix.json there/fix.json
cmp here/fix.ko there/fix.ko
cmp here/fix.json there/fix.json
echo "equal, byte by byte"
