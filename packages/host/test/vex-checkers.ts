/** Checkers of VEX documents that are not ours. */
import * as csafTests from "@secvisogram/csaf-validator-lib/basic.js";
import validate from "@secvisogram/csaf-validator-lib/validate.js";
import { Ajv2020 } from "ajv/dist/2020.js";
import addFormats from "ajv-formats";
import { PackageURL } from "packageurl-js";

/**
 * What is wrong with a CSAF document by its JSON Schema and by the standard's mandatory tests (6.1, with those of
 * the VEX profile). The optional ones (6.2) want an address of publication, which a machine's document has not.
 */
export async function csafComplaints(document: unknown): Promise<readonly unknown[]> {
  const { tests } = await validate(Object.values(csafTests), document);
  return tests.flatMap(({ name, errors, warnings }) =>
    [...errors, ...warnings].map((complaint) => ({ name, complaint })),
  );
}

const text = { type: "string", minLength: 1 };
const iri = { type: "string", format: "uri" };
const time = { type: "string", format: "date-time" };

function strict(
  required: Readonly<Record<string, object>>,
  optional: Readonly<Record<string, object>> = {},
): object {
  return {
    type: "object",
    additionalProperties: false,
    required: Object.keys(required),
    properties: { ...required, ...optional },
  };
}

/**
 * OpenVEX 0.2.0 as its specification has it, the tables in OPENVEX-SPEC.md, "The VEX statement" and "Document
 * Data Structure": https://github.com/openvex/spec. Its published schema is no package of any registry.
 */
const statement = strict(
  {
    vulnerability: strict(
      { name: text },
      { "@id": iri, description: { type: "string" }, aliases: { type: "array" } },
    ),
    status: { enum: ["not_affected", "affected", "fixed", "under_investigation"] },
  },
  {
    timestamp: time,
    last_updated: time,
    products: {
      type: "array",
      uniqueItems: true,
      items: strict(
        {},
        { "@id": iri, identifiers: strict({}, { purl: text, cpe22: text, cpe23: text }), hashes: {} },
      ),
    },
    status_notes: { type: "string" },
    supplier: text,
  },
);
const ajv = new Ajv2020({ allErrors: true });
addFormats.default(ajv);
const openVex = ajv.compile(
  strict(
    {
      "@context": { const: "https://openvex.dev/ns/v0.2.0" },
      "@id": iri,
      author: text,
      timestamp: time,
      version: { type: "integer", minimum: 1 },
      statements: { type: "array", minItems: 1, uniqueItems: true, items: statement },
    },
    { role: text, last_updated: time, tooling: text },
  ),
);

/** What is wrong with an OpenVEX document. */
export function openVexComplaints(document: unknown): readonly unknown[] {
  openVex(document);
  return openVex.errors ?? [];
}

/** A package URL in its parts, as the reference library reads it. */
export function packageUrl(purl: string): { readonly type: string; readonly [part: string]: unknown } {
  const { type, namespace, name, version, qualifiers } = PackageURL.fromString(purl);
  return { type, namespace, name, version, qualifiers };
}
