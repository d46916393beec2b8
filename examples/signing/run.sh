#!/bin/sh
# A signed live patch, on a kernel that takes no other: makes a key, builds and signs, and loads the module in a guest
# of which the firmware trusts the key; then the same module without its signature, which the kernel refuses.
set -eu
root=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd)
kgraft="$root/kgraft"
release=6.1.0-55-cloud-amd64
"$kgraft" doctor --install >/dev/null
"$kgraft" kernel fetch "$release"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

echo "\$ openssl req -x509 ... -keyout key.pem -out cert.pem"
openssl req -x509 -newkey rsa:3072 -nodes -days 30 -subj "/CN=kgraft example" -keyout key.pem -out cert.pem 2>/dev/null

"$kgraft" diff --from 6.1.192-1 --to 6.1.192-2 >fix.patch
build="$kgraft build --kernel $release fix.patch"
echo "\$ kgraft build --kernel $release fix.patch --sign-key key.pem --sign-cert cert.pem"
$build --name signed --sign-key key.pem --sign-cert cert.pem
$build --name unsigned >/dev/null

enforce="--kernel $release --trust cert.pem --parameter module.sig_enforce=1"
echo "\$ kgraft lab run $enforce --load signed.ko -- kgr patches"
"$kgraft" lab run $enforce --load signed.ko -- kgr patches
echo "\$ kgraft lab run $enforce --load unsigned.ko -- kgr patches"
if "$kgraft" lab run $enforce --load unsigned.ko -- kgr patches; then
  echo "the kernel took a module without a signature" >&2
  exit 1
fi
echo "refused, as it must be"
