/**
 * OpenVEX 0.2.0, https://github.com/openvex/spec/blob/main/OPENVEX-SPEC.md. A statement is one vulnerability, the
 * products it is about, and their status.
 */
import type { VexFacts } from "./facts.ts";

/** The document as a value to be printed as JSON. */
export function openVex({ uuid, host, tool, timestamp, kernel, fixes }: VexFacts): object {
  return {
    "@context": "https://openvex.dev/ns/v0.2.0",
    "@id": `urn:uuid:${uuid}`,
    author: `${tool.name} on ${host}`,
    timestamp,
    version: 1,
    tooling: `${tool.name} ${tool.version}`,
    statements: fixes.map(({ cve, title, patch, since }) => ({
      vulnerability: { name: cve, description: title },
      timestamp: since ?? timestamp,
      products: [{ "@id": kernel.purl, identifiers: { purl: kernel.purl } }],
      status: "fixed",
      status_notes: `by the live patch ${patch} in the running kernel of ${host}`,
    })),
  };
}
