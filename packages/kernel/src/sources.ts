/**
 * Where the packages come from. The mirror is the one that the machine's own apt uses, so that whoever runs a
 * local mirror need not say it twice; KGRAFT_MIRROR says otherwise. Of a suite, its -updates and -security are
 * taken as well: a kernel is as often in one as in the other. The keyring is always the machine's own.
 */
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { BadRequest, MirrorUnknown } from "./errors.ts";

export interface Mirrors {
  readonly main: string;
  readonly security: string;
}

export const keyring = "/usr/share/keyrings/debian-archive-keyring.gpg";

/** The mirrors to use: of the environment, or of the machine's apt sources. */
export async function findMirrors(
  env: NodeJS.ProcessEnv = process.env,
  directory = "/etc/apt",
): Promise<Mirrors> {
  const own = env["KGRAFT_MIRROR"];
  if (own !== undefined && own !== "") {
    if (!/^https?:\/\/[^\s"'\\[\]]+$/.test(own)) {
      throw new BadRequest("KGRAFT_MIRROR", own, "an http or https address");
    }
    const main = own.replace(/\/+$/, "");
    return { main, security: securityOf(main) };
  }
  const addresses: string[] = [];
  for (const file of await sourceFiles(directory)) {
    addresses.push(...addressesOf(await readFile(file, "utf8")));
  }
  const main = addresses.find((address) => address.endsWith("/debian"));
  if (main === undefined)
    throw new MirrorUnknown(`none in ${directory}`, "an http address ending in /debian");
  return {
    main,
    security: addresses.find((address) => address.endsWith("debian-security")) ?? securityOf(main),
  };
}

/** The http addresses that an apt sources file (either format) names, without their last slash. */
export function addressesOf(text: string): readonly string[] {
  const found: string[] = [];
  for (const line of text.split("\n")) {
    if (!/^\s*(deb\s|URIs:)/i.test(line)) continue;
    for (const word of line.split(/\s+/)) {
      if (/^https?:\/\//.test(word)) found.push(word.replace(/\/+$/, ""));
    }
  }
  return found;
}

/** sources.list lines for a suite and what belongs to it, from the mirrors to use. @throws MirrorUnknown, BadRequest */
export async function aptSources(suite: string): Promise<string> {
  return sourcesList(suite, await findMirrors());
}

/** sources.list lines for a suite and what belongs to it. */
export function sourcesList(suite: string, mirrors: Mirrors): string {
  if (!/^[a-z][a-z0-9-]{1,30}$/.test(suite)) throw new BadRequest("suite", suite, "a name such as bookworm");
  if (["sid", "unstable", "experimental", "rc-buggy"].includes(suite) || suite.includes("-")) {
    return sourceLine(suite.endsWith("-security") ? mirrors.security : mirrors.main, suite);
  }
  return [
    sourceLine(mirrors.main, suite),
    sourceLine(mirrors.main, `${suite}-updates`),
    sourceLine(mirrors.security, `${suite}-security`),
  ].join("");
}

function sourceLine(address: string, suite: string): string {
  return `deb [signed-by=${keyring}] ${address} ${suite} main\n`;
}

function securityOf(main: string): string {
  return main.endsWith("/debian") ? `${main}-security` : main;
}

async function sourceFiles(directory: string): Promise<readonly string[]> {
  const parts = join(directory, "sources.list.d");
  const names = await readdir(parts).catch((): string[] => []);
  const files = names.filter((name) => /\.(list|sources)$/.test(name)).toSorted((a, b) => a.localeCompare(b));
  const single = (await readdir(directory).catch((): string[] => [])).filter(
    (name) => name === "sources.list",
  );
  return [...single.map((name) => join(directory, name)), ...files.map((name) => join(parts, name))];
}
