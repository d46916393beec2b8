#!/run/lab/bin/sh
# serve STDOUT_PORT STDERR_PORT: runs commands for the host, one after the other. The first port takes requests
# ("TOKEN SIZE\n", then a script of SIZE bytes) and gives the command's stdout; the second gives its stderr. Both
# end with "\nTOKEN STATUS\n" (src/framing.ts).
#
# A command's output goes through pipes, not straight to the ports: a port can be opened only once, and a script
# that says `> /dev/stderr` opens it again.
# Its own programs are busybox's; a command finds those of the system it runs in.
cd /
path=$PATH
PATH=/run/lab/bin
# A port has its file a moment before the kernel finds the port by it (add_port() of drivers/char/virtio_console.c):
# until then, opening it fails. An emulated processor may stand still for a minute then. `command` keeps a failed exec
# from ending this shell.
tries=0
again() {
  tries=$((tries + 1))
  [ "$tries" -le 12000 ] || { echo "<2>lab: $1 cannot be opened" >/dev/kmsg; exit 1; }
  usleep 10000
}
until command exec 3<>"$1"; do again "$1"; done 2>/dev/null
until command exec 4>"$2"; do again "$2"; done 2>/dev/null
while :; do
  # Until the kernel has heard that the host holds the other end, a port reads as if it were closed.
  read -r token size <&3 || { usleep 10000; continue; }
  job=/run/lab/$token
  dd iflag=fullblock bs="$size" count=1 of="$job" <&3 2>/dev/null
  mkfifo "$job.out" "$job.err"
  cat "$job.out" >&3 3>&- 4>&- &
  out=$!
  cat "$job.err" >&4 3>&- 4>&- &
  err=$!
  # The command leads a session of its own, whose number the host needs to stop all of it. The parentheses keep
  # this shell's word about a killed child out of the command's stderr. By their paths: for a bare name, busybox's shell
  # takes a program of its own before one of the system's.
  (PATH=$path; exec /bin/setsid /bin/sh -c 'echo $$ >"$1.pid"; exec /bin/sh "$1"' sh "$job" </dev/null >"$job.out" 2>"$job.err" 3>&- 4>&-)
  status=$?
  wait "$out" "$err"
  printf '\n%s %d\n' "$token" "$status" >&3
  printf '\n%s %d\n' "$token" "$status" >&4
  rm -f "$job" "$job".*
done
