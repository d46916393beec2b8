/** Why a file that a user named could not be read: in words where it is the usual reason, as the system says it else. */
export function whyUnread(cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause);
  return "code" in cause && cause.code === "ENOENT" ? "it is not there" : cause.message;
}
