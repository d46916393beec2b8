/**
 * CSAF 2.0, profile 5: VEX, https://docs.oasis-open.org/csaf/csaf/v2.0/os/csaf-v2.0-os.html#45-profile-5-vex.
 * No CVSS stands in it: for a product that is fixed the specification (6.2.19) wants an environmental score of 0,
 * and a scanner has the base scores anyway.
 */
import type { VexFacts } from "./facts.ts";

const productId = "kernel";

/** The document as a value to be printed as JSON. */
export function csafVex(facts: VexFacts): object {
  const { host, fixes } = facts;
  return {
    document: documentOf(facts),
    product_tree: productTree(facts),
    vulnerabilities: fixes.map(({ cve, title, patch, since }) => ({
      cve,
      ...(title !== "" && { title }),
      notes: [
        {
          category: "details",
          text: `Fixed by the live patch ${patch} in the running kernel of ${host}.`,
        },
      ],
      product_status: { fixed: [productId] },
      ...(since !== null && {
        remediations: [
          {
            category: "vendor_fix",
            date: since,
            details: `The live patch ${patch} is in force; nothing is left to be done.`,
            product_ids: [productId],
          },
        ],
      }),
    })),
  };
}

function documentOf({ uuid, host, tool, timestamp }: VexFacts): object {
  return {
    category: "csaf_vex",
    csaf_version: "2.0",
    lang: "en",
    publisher: { category: "user", name: host, namespace: `https://${encodeURIComponent(host)}` },
    title: `Vulnerabilities that live patches fix in the running kernel of ${host}`,
    tracking: {
      id: `kgr-${uuid}`,
      status: "final",
      version: "1",
      initial_release_date: timestamp,
      current_release_date: timestamp,
      revision_history: [{ date: timestamp, number: "1", summary: "As it stands at this time" }],
      generator: { date: timestamp, engine: { name: tool.name, version: tool.version } },
    },
  };
}

function productTree({ kernel }: VexFacts): object {
  const { vendor, packageName, packageVersion, purl } = kernel;
  const product = {
    name: `${packageName} ${packageVersion}`,
    product_id: productId,
    product_identification_helper: { purl },
  };
  const version = { category: "product_version", name: packageVersion, product };
  const name = { category: "product_name", name: packageName, branches: [version] };
  return { branches: [{ category: "vendor", name: vendor, branches: [name] }] };
}
