import type { SourceChange } from "@kgraft/build";
import { describe, expect, test } from "vitest";
import { assignFixes } from "./fixes.ts";
import type { PlannedUnit } from "./plan.ts";
import type { Update } from "./update.ts";

function updateOf(texts: Readonly<Record<string, readonly [original: string, patched: string]>>): Update {
  const entries = Object.entries(texts).map(
    ([path, [original, patched]]) => [path, { original, patched }] as const,
  );
  const change: SourceChange = { texts: new Map(entries), ignored: [], reasons: [] };
  const files = Object.keys(texts).map((path) => ({
    path,
    kind: "changed" as const,
    addedLines: 1,
    removedLines: 1,
  }));
  return { from: "1", to: "2", files, change, foreign: new Set(), patch: { name: "", text: "" } };
}

function unitOf(unit: string, verdict: PlannedUnit["verdict"]): PlannedUnit {
  return {
    unit,
    objects: ["vmlinux"],
    verdict,
    ownSource: true,
    functions: [],
    added: [],
    reasons: [],
    warnings: [],
  };
}

const update = updateOf({
  "drivers/scsi/qla2xxx/qla_os.c": ["a", "qla2x00_free_queues();"],
  "drivers/scsi/qla2xxx/qla_bsg.c": ["a", "b"],
  "fs/ext4/inode.c": ["a", "b"],
  "arch/arm64/kvm/arm.c": ["a", "b"],
  "include/net/sock.h": ["a", "b"],
});
const units = [
  unitOf("drivers/scsi/qla2xxx/qla_os.c", "carried"),
  unitOf("drivers/scsi/qla2xxx/qla_bsg.c", "needs-author"),
  unitOf("fs/ext4/inode.c", "carried"),
  unitOf("net/core/sock.c", "needs-author"),
];
const readers = (path: string): readonly string[] =>
  path === "include/net/sock.h" ? ["net/core/sock.c"] : [];

describe("assignFixes()", () => {
  test.each<[title: string, files: readonly string[], verdict: string]>([
    ["ext4: repair something", ["fs/ext4/inode.c"], "carried"],
    ["scsi: qla2xxx: Fix the queues in qla2x00_free_queues()", ["drivers/scsi/qla2xxx/qla_os.c"], "carried"],
    [
      "scsi: qla2xxx: Fix everything",
      ["drivers/scsi/qla2xxx/qla_os.c", "drivers/scsi/qla2xxx/qla_bsg.c"],
      "needs-author",
    ],
    ["[arm64] kvm: not here", ["arch/arm64/kvm/arm.c"], "not-compiled"],
    ["sock: by a header", ["include/net/sock.h"], "needs-author"],
    ["something without a subsystem", [], "unassigned"],
    ["unknown: a subsystem that no path has", [], "unassigned"],
  ])("of %s", (title, files, verdict) => {
    const [fix] = assignFixes([{ title, cves: [], version: "2" }], update, units, readers);
    expect([fix?.files, fix?.verdict]).toEqual([files, verdict]);
  });

  test("does not give a fix the files of a whole subsystem", () => {
    const many = updateOf(
      Object.fromEntries(Array.from({ length: 9 }, (_, n) => [`fs/xfs/${n}.c`, ["a", "b"]])),
    );
    const [fix] = assignFixes([{ title: "xfs: repair", cves: [], version: "2" }], many, [], () => []);
    expect(fix?.verdict).toBe("unassigned");
  });
});
