import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { MachineUnsupported } from "../errors.ts";
import { checkSupported, readSpace, readSystem } from "./system.ts";

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "kgraft-system-"));
});
afterAll(async () => rm(directory, { recursive: true }));

const systems: readonly (readonly [string, string, string, boolean])[] = [
  ["Debian 12", 'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nVERSION_ID="12"\nID=debian\n', "x64", true],
  ["Debian 13", 'PRETTY_NAME="Debian GNU/Linux 13 (trixie)"\nVERSION_ID="13"\nID=debian\n', "x64", true],
  ["Debian 11", 'PRETTY_NAME="Debian GNU/Linux 11"\nVERSION_ID="11"\nID=debian\n', "x64", false],
  ["Debian 12 on arm64", 'PRETTY_NAME="Debian"\nVERSION_ID="12"\nID=debian\n', "arm64", false],
  ["Fedora", 'PRETTY_NAME="Fedora Linux 44"\nVERSION_ID=44\nID=fedora\n', "x64", false],
  ["nothing", "", "x64", false],
];

for (const [name, text, machine, supported] of systems) {
  test(`checkSupported() ${supported ? "takes" : "refuses"} ${name}`, async () => {
    const file = join(directory, name);
    await writeFile(file, text);
    const facts = await readSystem(file, machine);
    expect(facts.supported).toBe(supported);
    expect(errorName(() => checkSupported(facts))).toBe(supported ? "none" : MachineUnsupported.name);
  });
}

function errorName(work: () => void): string {
  try {
    work();
    return "none";
  } catch (error) {
    return (error as Error).name;
  }
}

test("readSpace() asks the file system that the cache will be on", async () => {
  const space = await readSpace({ KGRAFT_CACHE: join(directory, "not/yet/there") });
  expect(space.path).toBe(join(directory, "not/yet/there"));
  expect(space.freeBytes).toBeGreaterThan(0);
});
