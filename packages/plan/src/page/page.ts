/**
 * The plan as one HTML page that needs nothing else: a table to filter, and for each replaced function the old and the
 * new code beside each other. There are tens of megabytes of such code; so it is deflated unit by unit, and inflated
 * by the browser when somebody looks at it.
 */
import { readFile } from "node:fs/promises";
import { deflateRawSync } from "node:zlib";
import type { PatchedDelta } from "@kgraft/build";
import { bytesSource, type ElfObject, type ObjectSection, readObject, SHF_EXECINSTR } from "@kgraft/elf";
import type { Plan, PlannedUnit } from "../plan.ts";
import { type Disassembler, disassemble, disassemblerOf } from "./disassembly.ts";
import { type Row, sideBySide } from "./sides.ts";

/** The page's text. */
export async function planPage(plan: Plan, { release }: { readonly release: string }): Promise<string> {
  const [html, css, script] = await Promise.all(["page.html", "page.css", "client.js"].map(asset));
  const { from, to } = plan.update;
  const data = { release, from, to, units: await unitsOf(plan), fixes: plan.fixes, files: plan.files };
  // Data in a script element may not hold what ends it.
  const json = JSON.stringify(data).replaceAll("<", "\\u003c");
  const parts: Readonly<Record<string, string>> = {
    css: css!,
    script: script!,
    data: json,
    release: escaped(release),
  }; // three were read
  return html!.replaceAll(/<!--(css|script|data|release)-->/g, (_, name: string) => parts[name] ?? "");
}

function asset(name: string): Promise<string> {
  return readFile(new URL(name, import.meta.url), "utf8");
}

function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}

/** A unit as the page has it. */
interface PageUnit extends PlannedUnit {
  /** Rows of each replaced function by its name, as JSON, deflated, in base64. */
  readonly code: string;
}

async function unitsOf({ units, deltas, originals }: Plan): Promise<PageUnit[]> {
  const byUnit = Map.groupBy(deltas, ({ unit }) => unit);
  const machine = deltas[0]?.object.machine;
  const disassembler = machine === undefined ? undefined : await disassemblerOf(machine);
  return Promise.all(
    units.map(async (unit) => {
      const [delta] = byUnit.get(unit.unit) ?? [];
      const path = originals.get(unit.unit);
      const hasCode = delta !== undefined && path !== undefined && disassembler !== undefined;
      return { ...unit, code: hasCode ? packed(await codeOf(delta, path, disassembler)) : "" };
    }),
  );
}

async function codeOf(
  delta: PatchedDelta,
  originalPath: string,
  disassembler: Disassembler,
): Promise<Record<string, Row[]>> {
  const original = readObject(
    bytesSource(originalPath, await readFile(originalPath)),
    ({ flags, name }) => (flags & SHF_EXECINSTR) !== 0 || name.startsWith(".rodata"),
  );
  const rows = delta.functions.map(({ name, symbol }): [string, Row[]] => {
    const is = symbol.place.kind === "section" ? symbol.place.section : undefined;
    const [old, patched] = [
      linesOf(sectionOfFunction(original, name), original, disassembler),
      linesOf(is, delta.object, disassembler),
    ];
    return [name, sideBySide(old, patched)];
  });
  return Object.fromEntries(rows);
}

function sectionOfFunction({ symbols }: ElfObject, name: string): ObjectSection | undefined {
  const symbol = symbols.find((one) => one.name === name && one.place.kind === "section");
  return symbol?.place.kind === "section" ? symbol.place.section : undefined;
}

function linesOf(
  section: ObjectSection | undefined,
  object: ElfObject,
  disassembler: Disassembler,
): string[] {
  return section === undefined ? [] : disassemble(section, object, disassembler);
}

function packed(code: Record<string, Row[]>): string {
  return deflateRawSync(JSON.stringify(code)).toString("base64");
}
