/** Where this machine gets Debian's packages from: sources.list(5), in both of its forms. */
import { readdir, readFile } from "node:fs/promises";
import path from "node:path";
import { MirrorUnknown } from "./errors.ts";

/** Addresses of the machine's Debian mirrors, without a closing slash, in the order of its files. @throws MirrorUnknown */
export async function debianMirrors(root = "/etc/apt"): Promise<readonly string[]> {
  const parts = await readdir(path.join(root, "sources.list.d")).catch(() => []);
  const files = [
    "sources.list",
    ...parts.toSorted((a, b) => (a < b ? -1 : 1)).map((name) => path.join("sources.list.d", name)),
  ];
  const found: string[] = [];
  for (const file of files) {
    const text = await readFile(path.join(root, file), "utf8").catch(() => "");
    found.push(
      ...(file.endsWith(".sources") ? fromStanzas(text) : file.endsWith(".list") ? fromLines(text) : []),
    );
  }
  // The archive itself; its security part and other vendors' archives do not carry the source package.
  const mirrors = [...new Set(found.map((uri) => uri.replace(/\/+$/, "")))].filter((uri) =>
    uri.endsWith("/debian"),
  );
  if (mirrors.length === 0) {
    throw new MirrorUnknown(
      `cannot find a Debian mirror: ${root} names none, wanted one whose address ends with /debian`,
      "add Debian's archive to /etc/apt/sources.list.d, as a fresh Debian has it",
    );
  }
  return mirrors;
}

function fromLines(text: string): readonly string[] {
  return text.split("\n").flatMap((line) => /^deb(?:-src)?\s+(?:\[[^\]]*\]\s+)?(\S+)/.exec(line)?.[1] ?? []);
}

function fromStanzas(text: string): readonly string[] {
  return text
    .split(/\n\s*\n/)
    .filter((stanza) => !/^Enabled:\s*no\b/im.test(stanza))
    .flatMap((stanza) => /^URIs:((?:.*(?:\n[ \t])?)+)/im.exec(stanza)?.[1]?.trim().split(/\s+/) ?? []);
}
