/** `kgraft lifecycle` on this machine, with its own dpkg and apt: it is kgr's report, and ends as that does. */
import { execFile } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { promisify } from "node:util";
import { buildKgr } from "@kgraft/host/build";
import { expect, test } from "vitest";
import { type Finished, runKgraft, scratch } from "./kgraft.ts";

test("prints what kgr prints, of packages that dpkg has", async () => {
  const kgr = await buildKgr({ signal: new AbortController().signal });
  const { stdout } = await promisify(execFile)(kgr, ["lifecycle", "dpkg", "apt"]);
  expect(stdout).toMatch(/^\nPackage end of support:\ndpkg {37}.{40,} \S*\napt {38}/);
  expect(await runKgraft(["lifecycle", "dpkg", "apt"])).toEqual({ code: 0, stdout, stderr: "" });
});

test("reports the machine, keeps that, and then has nothing new", async () => {
  await using folder = await scratch();
  const report = path.join(folder.path, "report.xml");
  const first = await runKgraft(["lifecycle", "--save", report]);
  expect(first).toMatchObject({ code: 0, stderr: "" });
  expect(first.stdout).toMatch(/^\nProduct end of support {34}\n.{55} (\d{4}-\d\d-\d\d|n\/a\*?|-)\n\n/);
  expect(await readFile(report, "utf8")).toMatch(
    /^<report date='.* \+0000'>\n {4}<product name='\w+' eol='\d+'\/>\n/,
  );
  const second = await runKgraft(["lifecycle", "--diff", report]);
  expect(second).toMatchObject({ code: 1, stderr: "" });
  expect(second.stdout).toMatch(
    /^Reporting changes since (.*)\n\nNo products changed since \1\.\n\nNo packages with/,
  );
});

test.each<[string, readonly string[], Partial<Finished>]>([
  ["a package that is not installed", ["no-such-package"], { code: 1, stderr: "" }],
  [
    "JSON",
    ["--json", "dpkg"],
    { code: 0, stdout: expect.stringContaining('"notInstalled": []'), stderr: "" },
  ],
  ["a report that cannot be kept", ["--save", "/proc/none/x"], { code: 2, stdout: expect.anything() }],
])("ends with its exit status: %s", async (_, words, wanted) => {
  expect(await runKgraft(["lifecycle", ...words])).toMatchObject(wanted);
});

test("tells what it cannot read in its own name", async () => {
  await using folder = await scratch();
  const report = path.join(folder.path, "report.xml");
  await writeFile(report, "no report");
  expect(await runKgraft(["lifecycle", "--diff", report])).toEqual({
    code: 2,
    stdout: "",
    stderr: `kgraft: cannot read ${report}: it has no report with a date\n        type: kgraft lifecycle --save ${report}\n`,
  });
});
