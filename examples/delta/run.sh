#!/bin/sh
# What a change did to one unit, and what a live patch must carry of it: the difference engine alone, on two objects.
#
#     examples/delta/run.sh [DIRECTORY]
#
# Compiles before.c and after.c the way a kernel is compiled (each function with an entry for ftrace, each symbol with a
# section of its own), asks `kgraft delta`, and shows what it wrote. Needs gcc and binutils, no kernel.
set -eu
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
out=${1:-$(mktemp -d)}
mkdir -p "$out"

for unit in before after kernel; do
	gcc -c -O2 -fno-pie -mcmodel=kernel -fno-asynchronous-unwind-tables -pg -mfentry -mrecord-mcount \
		-ffunction-sections -fdata-sections -o "$out/$unit.o" "$here/$unit.c"
done
# The running kernel: the unit as it was, and the rest.
ld -r -o "$out/vmlinux" "$out/before.o" "$out/kernel.o"

echo "== kgraft delta before.o after.o"
"$here/../../kgraft" delta "$out/before.o" "$out/after.o" --object vmlinux --symbols "$out/vmlinux" -o "$out/out.o"

echo
echo "== what is in it: the changed function, its string, and no other function or variable"
readelf --sections --wide "$out/out.o" | grep -E '\.(text|rodata|data|bss)\.'

echo
echo "== what the livepatch core resolves when the module is loaded"
readelf --relocs --wide "$out/out.o" | grep '\.klp\.sym\.'
