/**
 * A report that was saved, so that a later one tells only what changed: the file of `zypper lifecycle --save`, so either
 * program reads the other's.
 */
import { LifecycleError } from "../errors.ts";
import { t } from "../language.ts";
import { type System, SystemError } from "../system.ts";
import { decodeUtf8 } from "../text.ts";
import { attributesOf, encodeEntities } from "./xml.ts";

const limitBytes = 16 << 20;

export interface SavedEntry {
  readonly kind: "product" | "package";
  readonly name: string;
  /** null for a product. */
  readonly version: string | null;
  /** As rankOf() has it. */
  readonly end: number;
}

export interface Saved {
  /** Seconds since 1970. */
  readonly savedAt: number;
  readonly entries: readonly SavedEntry[];
}

/** Reads a saved report; null where there is none. @throws LifecycleError */
export function readSaved(system: System, path: string): Saved | null {
  let text: string;
  try {
    text = decodeUtf8(system.readBytes(path, limitBytes));
  } catch (error) {
    if (!(error instanceof SystemError)) {
      throw error;
    }
    if (error.code === "ENOENT") {
      return null;
    }
    throw new LifecycleError(error.message, error.hint, { cause: error });
  }
  const [, tag] = /<report(\s[^<>]*)>/.exec(text) ?? [];
  const savedAt = timeOf(attributesOf(tag ?? "")["date"] ?? "");
  if (savedAt === null) {
    throw bad(path, t`it has no report with a date`);
  }
  const elements = [...text.matchAll(/<(product|package)(\s[^<>]*?)\/?>/g)];
  return {
    savedAt,
    entries: elements.map(([, kind, attributes = ""]) =>
      entryOf(kind === "product" ? kind : "package", attributes, path),
    ),
  };
}

function entryOf(kind: SavedEntry["kind"], attributes: string, path: string): SavedEntry {
  const { name, edition = null, eol = "" } = attributesOf(attributes);
  if (name === undefined || !/^\d{1,16}$/.test(eol)) {
    throw bad(path, t`a ${kind} has no name, or its eol is ${JSON.stringify(eol)}, wanted a number`);
  }
  return { kind, name, version: kind === "product" ? null : edition, end: Number(eol) };
}

function bad(path: string, found: string): LifecycleError {
  return new LifecycleError(t`cannot read ${path}: ${found}`, t`type: kgr lifecycle --save ${path}`);
}

/** Replaces the file as a whole. @throws LifecycleError */
export function writeSaved(system: System, path: string, { savedAt, entries }: Saved): void {
  const lines = entries.map(({ kind, name, version, end }) => {
    const edition = version === null ? "" : ` edition='${encodeEntities(version)}'`;
    return `    <${kind} name='${encodeEntities(name)}'${edition} eol='${end}'/>\n`;
  });
  try {
    system.replaceFile(path, `<report date='${timeText(savedAt)}'>\n${lines.join("")}</report>\n`);
  } catch (error) {
    throw error instanceof SystemError
      ? new LifecycleError(error.message, error.hint, { cause: error })
      : error;
  }
}

/** `2026-11-25 14:00:00 +0000`, as Ruby writes a time. */
export function timeText(seconds: number): string {
  return new Date(seconds * 1000).toISOString().replace(/T(.{8}).*/, " $1 +0000");
}

function timeOf(text: string): number | null {
  const [, day, time, zone = "UTC"] =
    /^(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d:\d\d) ?(UTC|Z|[+-]\d{4})?$/.exec(text) ?? [];
  const offset = zone.length === 5 ? `${zone.slice(0, 3)}:${zone.slice(3)}` : "Z";
  const ms = day === undefined ? Number.NaN : Date.parse(`${day}T${time}${offset}`);
  return Number.isNaN(ms) ? null : Math.floor(ms / 1000);
}
