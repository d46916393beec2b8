# Sourced, with $root set: puts the project's own Node and its tools first in PATH.
# Debian 12 carries an older Node than kgraft needs; an npm package brings the pinned one into
# toolchain/. Each folder is installed anew only when its lock file has changed.

kgraft_without_npm_settings() { # command and its arguments
  (
    for name in $(env | sed -n 's/^\([Nn][Pp][Mm]_[A-Za-z0-9_]*\)=.*/\1/p'); do unset "$name"; done
    "$@"
  )
}

kgraft_install() { # folder, what it brings
  # The lock file is looked into only where it is the younger one: each command starts with this.
  [ "$1/node_modules/.installed" -nt "$1/package-lock.json" ] && return 0
  cmp -s "$1/package-lock.json" "$1/node_modules/.installed" && return 0
  case $(uname -sm) in
    "Linux x86_64") ;;
    *) echo "kgraft: this is $(uname -sm); kgraft needs Linux on amd64 (Debian 12)" >&2; exit 69 ;;
  esac
  command -v npm >/dev/null 2>&1 || {
    echo "kgraft: npm is missing; install it with: apt-get install npm" >&2
    exit 69
  }
  echo "kgraft: installing $2 into ${1#"$root"/}/node_modules" >&2
  # The log is shown only when the installation fails: npm's warnings are not the user's business.
  # Without the settings that a parent npm left in the environment (`npm run` exports them): each folder has its own.
  # Not npm ci: it wants the lock file to name the builds for every other system too, and not every mirror has
  # them all. --no-save keeps to the lock file all the same, and leaves it as it is.
  if ! log=$(cd "$1" && kgraft_without_npm_settings npm install --no-save --no-audit --no-fund 2>&1); then
    printf '%s\n' "$log" | tail -n 20 >&2
    echo "kgraft: cannot install $2: npm failed as above; mend that and run the command again" >&2
    exit 69
  fi
  cp "$1/package-lock.json" "$1/node_modules/.installed"
}

kgraft_install "$root/toolchain" "Node"
PATH="$root/toolchain/node_modules/.bin:$root/node_modules/.bin:$PATH"
export PATH
kgraft_install "$root" "the node packages"
