import { describe, expect, test } from "vitest";
import { type Ledger, ledgerSchema } from "./ledger.ts";
import { defaultSettings } from "./retention.ts";

const hash = "0123456789abcdef".repeat(4);

const ledger: Ledger = {
  schema: "kgraft-repository/1",
  channel: "stable",
  revision: 1,
  time: 1_790_000_000,
  settings: defaultSettings,
  keys: [{ fingerprint: "0123456789".repeat(4), role: "signing", since: 1, armored: "" }],
  packages: [
    {
      format: "deb",
      name: "kgraft-patch-6.1.0-55-cloud-amd64",
      version: "1:2-1~rc1",
      architecture: "amd64",
      path: "pool/stable/a/a_2-1_amd64.deb",
      sizeBytes: 1,
      sha256: hash,
      added: 1,
    },
    {
      format: "rpm",
      name: "kgraft-patch-6_1_0-55-cloud-amd64",
      version: "2-1",
      architecture: "x86_64",
      path: "rpm/stable/Packages/a-2-1.x86_64.rpm",
      sizeBytes: 1,
      sha256: hash,
      source: hash,
      added: 1,
      advisory: "KGRAFT-6.1.0-55-cloud-amd64-2",
    },
  ],
  advisories: [
    {
      id: "KGRAFT-6.1.0-55-cloud-amd64-2",
      release: "6.1.0-55-cloud-amd64",
      counter: 2,
      status: "stable",
      updated: 1,
      sha256: hash,
    },
  ],
  lifecycle: { schema: "kgraft-lifecycle/1", kernels: [] },
  groups: { rpm: [{ members: ["rpm/stable/Packages/a-2-1.x86_64.rpm"], parts: { primary: hash } }] },
  files: ["dists/stable/main/binary-amd64/by-hash/SHA256/0"],
  dropped: [{ path: "rpm/stable/repodata/0-primary.xml.gz", at: 1 }],
};

/** Another value at a path: undefined takes it away. */
function changed(path: readonly (string | number)[], value: unknown): unknown {
  const copy = structuredClone(ledger) as unknown as Record<string | number, unknown>;
  let at = copy;
  for (const step of path.slice(0, -1)) at = at[step] as typeof at;
  const last = path.at(-1)!; // no path is empty
  if (value === undefined) delete at[last];
  else at[last] = value;
  return copy;
}

describe("ledgerSchema", () => {
  test("takes a ledger as it is written", () => {
    expect(ledgerSchema.safeParse(JSON.parse(JSON.stringify(ledger)))).toMatchObject({
      success: true,
      data: ledger,
    });
  });

  test.each<[path: readonly (string | number)[], value: unknown, told?: readonly (string | number)[]]>([
    [["packages"], {}],
    [["packages", 1], "text"],
    [["packages", 1], null],
    [["packages", 1, "format"], "apk"],
    [["packages", 1, "name"], "../name"],
    [["packages", 1, "name"], "n".repeat(201)],
    [["packages", 1, "path"], "/etc/passwd"],
    [["packages", 1, "path"], "pool/../../etc/passwd"],
    [["packages", 1, "path"], "pool/\n"],
    [["packages", 1, "path"], `pool/${"p".repeat(512)}`],
    [["packages", 1, "sizeBytes"], -1],
    [["packages", 1, "sizeBytes"], 1.5],
    [["packages", 1, "sizeBytes"], "1"],
    [["packages", 1, "sha256"], hash.toUpperCase()],
    [["packages", 1, "sha256"], undefined],
    [["packages", 1, "source"], null],
    [["packages", 1, "advisory"], ""],
    [["packages", 1, "more"], 1, ["packages", 1]],
    [["advisories", 0, "status"], "gone"],
    [["advisories", 0, "updated"], undefined],
    [["groups", "rpm"], "text"],
    [["groups", "rpm", 0, "members", 0], "../x"],
    [["groups", "rpm", 0, "members"], hash],
    [["groups", "rpm", 0, "parts", "primary"], "x"],
    [["groups", "rpm", 0, "parts"], null],
    [["files", 0], 1],
    [["dropped", 0, "at"], "1"],
    [["revision"], -1],
  ])("refuses %j as %j", (path, value, told = path) => {
    const { error } = ledgerSchema.safeParse(changed(path, value));
    expect(error?.issues[0]?.path).toEqual(told);
  });
});
