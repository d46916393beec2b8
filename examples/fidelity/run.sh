#!/bin/sh
# The proof that every live patch is built on: a unit compiled here is what the distribution shipped, function by
# function; the same unit with another optimisation level, or with one altered option of the configuration, is not.
set -eu
root=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd)
release=6.1.0-55-cloud-amd64
unit=fs/ext4/mballoc.c
"$root/kgraft" doctor --install >/dev/null
"$root/kgraft" kernel fetch "$release"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

check() {
  echo "\$ kgraft kernel check $release $unit $*"
  "$root/kgraft" kernel check "$release" "$unit" "$@" 2>/dev/null
}
differs() {
  if check --object mballoc.o; then
    echo "another object was taken for the shipped one" >&2
    exit 1
  fi
}

check
command=$("$root/kgraft" kernel check "$release" "$unit" --print-command 2>/dev/null)

echo
echo "== with another optimisation level"
sh -c "$(echo "$command" | sed 's/ -O2 / -O1 /')" 2>/dev/null
differs

echo
echo "== with CONFIG_JUMP_LABEL off"
echo "#undef CONFIG_JUMP_LABEL" >altered.h
sh -c "$command -include $work/altered.h" 2>/dev/null
differs
