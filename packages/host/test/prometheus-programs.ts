/** Prometheus' own programs. */
import { execFile } from "node:child_process";
import { access, mkdir, mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { promisify } from "node:util";
import { cacheDirectory } from "@kgraft/kernel";
import { makeMachine } from "./machine.ts";

const run = promisify(execFile);

/** Out of Debian's package, which is not installed: it would start a server. */
export async function fetchProgram(debianPackage: string, name: string): Promise<string> {
  const place = path.join(cacheDirectory(), name);
  const there = await access(place).then(
    () => true,
    () => false,
  );
  if (!there) {
    await mkdir(cacheDirectory(), { recursive: true });
    const folder = await mkdtemp(`${place}.tmp-`);
    await run("apt-get", ["-qq", "download", debianPackage], { cwd: folder });
    await run("sh", ["-c", `dpkg-deb --extract ${debianPackage}_*.deb .`], { cwd: folder });
    await rename(path.join(folder, "usr/bin", name), place);
    await rm(folder, { recursive: true });
  }
  return place;
}

/** What promtool says of a text; nothing where all is well. */
export async function complaints(text: string): Promise<string> {
  const promtool = await fetchProgram("prometheus", "promtool");
  const { root } = makeMachine({});
  const file = path.join(root, "kgr.prom");
  await writeFile(file, text);
  const checked = await run("sh", ["-c", '"$0" check metrics <"$1" 2>&1; echo "status $?"', promtool, file]);
  return checked.stdout;
}
