import type { Command, Context } from "../command.ts";
import { writeDocument } from "../document.ts";
import { NotFoundError } from "../errors.ts";
import { fixesInForce, manifestsInForce } from "../in-force.ts";
import { n, t } from "../language.ts";
import { csafVex } from "../vex/csaf.ts";
import { gatherFacts } from "../vex/facts.ts";
import { openVex } from "../vex/openvex.ts";

export const vexCommand: Command = {
  name: "vex",
  operand: null,
  options: ["format", "output"],
  brief: n`write which CVEs live patches have fixed, for scanners (VEX)`,
  details: n`As OpenVEX 0.2.0, or as CSAF 2.0 with --format csaf. It speaks of this machine's\nrunning kernel alone: give it to the scan of this machine and to no other.`,
  async run(context: Context): Promise<number> {
    const { system, invocation } = context;
    const manifests = await manifestsInForce(system);
    const fixes = fixesInForce(system, manifests).filter(({ id }) => /^CVE-\d{4}-\d{4,}$/.test(id));
    const [manifest] = manifests;
    // Neither format has a document that says nothing.
    if (manifest === undefined || fixes.length === 0) {
      throw new NotFoundError(
        t`cannot write a VEX document: no live patch in force is known to fix a CVE`,
        t`see what is in force with: kgr fixes; kgr -v patches`,
      );
    }
    const facts = gatherFacts(system, manifest.kernel, fixes);
    const document = invocation.options.get("format") === "csaf" ? csafVex(facts) : openVex(facts);
    const text = invocation.json ? JSON.stringify(document) : JSON.stringify(document, null, 2);
    writeDocument(context, `${text}\n`);
    return 0;
  },
};
