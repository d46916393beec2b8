import type { FtraceRecord } from "../ftrace.ts";
import { t } from "../language.ts";
import type { SymbolName } from "./symbols.ts";
import type { Evidence } from "./evidence.ts";
import { keyOf } from "./symbols.ts";

/**
 * Who else hooks a function, as far as it can be named: probes by their own list, a direct call of bpf by its
 * trampoline, and of the users that ftrace counts those that are left, with the tracer that is at work.
 */
export function otherUsersOf(
  evidence: Evidence,
  name: SymbolName,
  record: FtraceRecord | null,
): readonly string[] {
  const probes = evidence.probes.filter((probe) => keyOf(probe) === keyOf(name));
  const direct = record?.direct ?? null;
  const named = [
    ...probes.map(({ user }) => user),
    ...(direct === null ? [] : [t`direct call of ${direct}`]),
  ];
  // All probes at its entry are one user of ftrace's, and all live patches another.
  const counted = 1 + (probes.some(({ byFtrace }) => byFtrace) ? 1 : 0) + (direct === null ? 0 : 1);
  const left = (record?.users ?? 1) - counted;
  if (left <= 0) {
    return named;
  }
  const tracer = evidence.tracer === null ? "" : t` (tracer: ${evidence.tracer})`;
  return [...named, t`other users of ftrace: ${left}${tracer}`];
}
