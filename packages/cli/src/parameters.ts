/** Reading the values of options. What a value may be is said in the error; @stricli/core names the option. */
import { resolve } from "node:path";

const sizeFactors: Readonly<Record<string, number>> = { "": 1, K: 2 ** 10, M: 2 ** 20, G: 2 ** 30 };
const timeFactors: Readonly<Record<string, number>> = { ms: 1, "": 1000, s: 1000, m: 60_000, h: 3_600_000 };

/** `64M`, `1G`: binary, as disks of guests are. */
export function parseSize(text: string): number {
  const match = /^(\d{1,9})([KMG]?)(?:i?B)?$/i.exec(text);
  const bytes = Number(match?.[1]) * (sizeFactors[match?.[2]?.toUpperCase() ?? ""] ?? 1);
  if (match === null || bytes < 1 || bytes > 2 ** 40) {
    throw new Error("wanted a size such as 64M or 1G, up to 1024G");
  }
  return bytes;
}

/** `90`, `90s`, `5m`: seconds unless said otherwise. */
export function parseTimeMs(text: string): number {
  const match = /^(\d{1,7}(?:\.\d+)?)(ms|s|m|h|)$/.exec(text);
  const ms = Math.round(Number(match?.[1]) * (timeFactors[match?.[2] ?? ""] ?? 1));
  if (match === null || ms < 1 || ms > 86_400_000) {
    throw new Error("wanted a time such as 90s or 5m, up to 24h");
  }
  return ms;
}

export function parseCount(text: string): number {
  if (!/^\d{1,3}$/.test(text) || Number(text) < 1 || Number(text) > 255) {
    throw new Error("wanted a number from 1 to 255");
  }
  return Number(text);
}

/** How many days something holds: up to ten years, as long as the clocks of clients go. */
export function parseDayCount(text: string): number {
  if (!/^\d{1,4}$/.test(text) || Number(text) < 1 || Number(text) > 3650) {
    throw new Error("wanted a number of days from 1 to 3650");
  }
  return Number(text);
}

/** Where a repository is served, such as `https://patches.example.org`. */
export function parseUrl(text: string): string {
  const url = text.replace(/\/+$/, "");
  if (!/^https?:\/\/[^\s"'<>]{1,1000}$/.test(url) || !URL.canParse(url)) {
    throw new Error("wanted an address such as https://patches.example.org");
  }
  return url;
}

/** A CVSS score. */
export function parseScore(text: string): number {
  const score = Number(text);
  if (!/^\d{1,2}(\.\d)?$/.test(text) || score > 10) throw new Error("wanted a score from 0 to 10");
  return score;
}

/** Days from now, passed on as they are written. */
export function parseDays(text: string): string {
  if (!/^\d{1,5}$/.test(text)) throw new Error("wanted a number of days");
  return text;
}

/** A day, passed on as it is written. */
export function parseDay(text: string): string {
  const ms = /^\d{4}-\d{2}-\d{2}$/.test(text) ? Date.parse(`${text}T00:00:00Z`) : Number.NaN;
  if (Number.isNaN(ms) || new Date(ms).toISOString().slice(0, 10) !== text) {
    throw new Error("wanted a day as YYYY-MM-DD");
  }
  return text;
}

/** `CVE-2026-1234=title of the fix`; the title may be absent. */
export function parseFix(text: string): { readonly id: string; readonly title: string } {
  const at = text.indexOf("=");
  const id = at < 0 ? text : text.slice(0, at);
  if (!/^\S{1,100}$/.test(id)) throw new Error("wanted an identifier and a title: CVE-2026-1234=title");
  return { id, title: at < 0 ? "" : text.slice(at + 1).trim() };
}

/** `2-1`: counter and rebuild of a live patch's package. */
export function parseVersion(text: string): { readonly counter: number; readonly rebuild: number } {
  const [, counter, rebuild] = /^([1-9]\d{0,5})-([1-9]\d{0,5})$/.exec(text) ?? [];
  if (counter === undefined) throw new Error("wanted a version such as 2-1: counter and rebuild");
  return { counter: Number(counter), rebuild: Number(rebuild) };
}

/** `NAME=VERSION` of a package that was made elsewhere. */
export function parsePackage(text: string): { readonly name: string; readonly version: string } {
  const [, name, version] = /^([A-Za-z0-9][A-Za-z0-9+._-]*)=([A-Za-z0-9][A-Za-z0-9.+~:-]*)$/.exec(text) ?? [];
  if (name === undefined || version === undefined) throw new Error("wanted NAME=VERSION of a package");
  return { name, version };
}

/** The number of a program temporary fix. */
export function parsePtf(text: string): number {
  const [, number] = /^(?:ptf-)?([1-9]\d{0,8})$/.exec(text) ?? [];
  if (number === undefined) throw new Error("wanted a number such as 1234");
  return Number(number);
}

export function parsePath(text: string): string {
  if (text === "") throw new Error("wanted a path");
  return resolve(text);
}

export function parseText(text: string): string {
  if (text === "") throw new Error("wanted some text");
  return text;
}

export type ArchitectureName = "amd64" | "ppc64el";

export const suiteFlag: {
  readonly kind: "parsed";
  readonly parse: (text: string) => string;
  readonly brief: string;
  readonly placeholder: "NAME";
  readonly optional: true;
} = {
  kind: "parsed",
  parse: parseText,
  brief: "Debian suite that carries it: bookworm (default), trixie, sid",
  placeholder: "NAME",
  optional: true,
};

export const archFlag: {
  readonly kind: "enum";
  readonly values: readonly ArchitectureName[];
  readonly brief: string;
  readonly placeholder: "ARCH";
  readonly optional: true;
} = {
  kind: "enum",
  values: ["amd64", "ppc64el"],
  brief: "Architecture; amd64 unless the release's name says otherwise",
  placeholder: "ARCH",
  optional: true,
};
