import type { Finding, Proof } from "@kgraft/contract";

/** Something is not as it should be. */
export function wrong(message: string): Finding {
  return { result: "wrong", message };
}

/** Something cannot be told on this machine. */
export function unknown(message: string): Finding {
  return { result: "unknown", message };
}

/** What follows from several: one that is wrong outweighs those that are not known. */
export function resultOf(parts: readonly { readonly result: Proof }[]): Proof {
  const results = new Set(parts.map(({ result }) => result));
  return results.has("wrong") ? "wrong" : results.has("unknown") ? "unknown" : "proven";
}
