/** What an author says of a fix besides its title: how severe it is, and what else it is about. */
import { cvssScore } from "@kgraft/release";
import { parseFix } from "./parameters.ts";

/** `CVE-2026-1234=CVSS:3.1/AV:L/...`; the score is the vector's. */
export function parseCvss(text: string): {
  readonly id: string;
  readonly vector: string;
  readonly score: number;
} {
  const { id, title: vector } = parseFix(text);
  const score = cvssScore(vector);
  if (score === undefined) {
    throw new Error("wanted an identifier and a whole vector: CVE-2026-1234=CVSS:3.1/AV:L/AC:L/...");
  }
  return { id, vector, score };
}

/** `CVE-2026-1234=stability`. */
export function parseImpact(text: string): {
  readonly id: string;
  readonly impact: "stability" | "data-corruption";
} {
  const { id, title: impact } = parseFix(text);
  if (impact !== "stability" && impact !== "data-corruption") {
    throw new Error("wanted an identifier and stability or data-corruption");
  }
  return { id, impact };
}
