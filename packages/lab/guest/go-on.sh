# go-on.sh INIT: the first process once it is where the guest is to live. Starts one serve.sh for each slot; then,
# with INIT `system`, becomes that system's own first process.
read -r slots </run/lab/slots
slot=0
while [ "$slot" -lt "$slots" ]; do
  stdout=/dev/vport0p$((2 * slot + 1)) stderr=/dev/vport0p$((2 * slot + 2))
  tries=0
  until [ -e "$stdout" ] && [ -e "$stderr" ]; do
    tries=$((tries + 1))
    # Without its channel the guest is of no use: leaving the first process panics the kernel, which the host sees.
    # An emulated processor may stand still for a minute on the way there, while udev loads modules.
    if [ "$tries" -gt 12000 ]; then
      echo "<2>lab: $stdout is missing: $(cat /run/lab/failed)" >/dev/kmsg
      exit 1
    fi
    /run/lab/bin/usleep 10000
  done
  # Not `&`: a shell has its background jobs ignore SIGINT, and every command would inherit that.
  /run/lab/bin/start-stop-daemon -S -b -x /run/lab/serve -- "$stdout" "$stderr"
  slot=$((slot + 1))
done
[ "$1" = none ] || exec /sbin/init
# While this shell waits for a child, it takes in every other one, orphans too.
while :; do
  sleep 1000000
done
