/**
 * Versions of Debian packages, compared as deb-version(7) has it: text and numbers in turn, numbers by their
 * value; in text `~` comes before everything, even the end, and letters before other characters.
 */

/** Below 0 where the first is older, above 0 where it is newer. */
export function compareVersions(a: string, b: string): number {
  const [first, second] = [splitVersion(a), splitVersion(b)];
  return (
    Number(first.epoch) - Number(second.epoch) ||
    compareParts(first.upstream, second.upstream) ||
    compareParts(first.revision, second.revision)
  );
}

/** `[EPOCH:]UPSTREAM[-REVISION]` */
function splitVersion(version: string): { epoch: string; upstream: string; revision: string } {
  const [, epoch = "0", upstream = "", revision = ""] =
    /^(?:(\d+):)?(.*?)(?:-([^-]*))?$/s.exec(version) ?? [];
  return { epoch, upstream, revision };
}

function compareParts(a: string, b: string): number {
  const [first, second] = [a, b].map((text) => [...text.matchAll(/(\D*)(\d*)/g)]);
  for (let at = 0; at < Math.max(first!.length, second!.length); at++) {
    const [, x = "", m = ""] = first![at] ?? [];
    const [, y = "", n = ""] = second![at] ?? [];
    const difference = compareText(x, y) || Number(m) - Number(n);
    if (difference !== 0) {
      return difference;
    }
  }
  return 0;
}

function compareText(a: string, b: string): number {
  for (let at = 0; at < Math.max(a.length, b.length); at++) {
    const difference = weight(a[at]) - weight(b[at]);
    if (difference !== 0) {
      return difference;
    }
  }
  return 0;
}

/** The end weighs 0, as a digit in its place would. */
function weight(letter: string | undefined): number {
  if (letter === undefined) {
    return 0;
  }
  return letter === "~" ? -1 : letter.charCodeAt(0) + (/[A-Za-z]/.test(letter) ? 0 : 256);
}
