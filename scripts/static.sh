#!/bin/sh
# What can be checked without running anything: format, lint, the import table, types, unused code.
set -eu
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
. "$root/scripts/node-env.sh"
cd "$root"

echo "format";  oxfmt --check
echo "lint";    oxlint --type-aware --deny-warnings --ignore-pattern "scripts/lint-fixture/**"
echo "lint: the deliberately wrong fixture is refused"
refused=$(oxlint --format=unix scripts/lint-fixture 2>&1 || true)
for import in node:fs @kgraft/delta; do
  case $refused in
    *"'$import' import is restricted"*) ;;
    *) printf '%s\nthe linter accepts the import of %s in scripts/lint-fixture\n' "$refused" "$import" >&2; exit 1 ;;
  esac
done
echo "types";   tsc
echo "unused";  knip
