# Sourced: installs the programs whose word the tests take instead of our own.
missing=""
for program in chromium cpio dnf fakeroot faketime fish lintian mmdebstrap openssl patch rpmlint shellcheck zsh zypper; do
  command -v "$program" >/dev/null 2>&1 || missing="$missing $program"
done
# A library: only the system's own Python finds it.
[ -d /usr/lib/python3/dist-packages/botocore ] || missing="$missing python3-botocore"
# Of another name than its package.
command -v musl-gcc >/dev/null 2>&1 || missing="$missing musl-tools"
if [ -n "$missing" ]; then
  echo "kgraft: installing with apt-get, for the tests:$missing" >&2
  as_root=""
  [ "$(id -u)" = 0 ] || as_root=sudo
  $as_root apt-get update --quiet=2 >/dev/null
  # shellcheck disable=SC2086 # a list of names
  $as_root apt-get install --yes --quiet --no-install-recommends $missing >/dev/null
fi
