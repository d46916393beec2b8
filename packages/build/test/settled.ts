/** A shell command that waits for the end of a transition, one minute at most. */
export function settled(name: string): string {
  return `n=0; while [ "$(cat /sys/kernel/livepatch/${name}/transition 2>/dev/null)" = 1 ]; do n=$((n+1)); [ $n -lt 600 ] || exit 9; sleep 0.1; done`;
}
