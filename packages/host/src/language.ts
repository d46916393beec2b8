/**
 * The language of what is said to people: English, or Traditional Chinese where the locale asks for it. As with
 * gettext the English text is its own key, so the code reads as it speaks: t`cannot load ${name}: ${why}` is looked
 * up as `cannot load {0}: {1}`, and a translation may put the values in another order.
 *
 * What scripts read never changes: kGraft's own outputs (`ready`, `active: 1`) are not looked up, and with `--json`
 * everything is English.
 */
import type { System } from "./system.ts";

/** Texts of a language by their English text; what it lacks stays English. */
export type Catalogue = ReadonlyMap<string, string>;

let catalogue: Catalogue | null = null;

/** Speaks the language of the environment's locale from here on; English for machines. */
export async function chooseLanguage(system: System, forMachine: boolean): Promise<void> {
  catalogue = forMachine ? null : await catalogueOf(localeOf(system));
}

/** The locale of messages, POSIX.1-2017 XBD 8.2: the first of these that is set and not empty. */
function localeOf(system: System): string {
  const names = ["LC_ALL", "LC_MESSAGES", "LANG"];
  return names.map((name) => system.environment(name)).find((value) => value !== "") ?? "C";
}

/** Other encodings than UTF-8 would be garbled: `zh_TW` alone means Big5 to the C library. */
async function catalogueOf(locale: string): Promise<Catalogue | null> {
  return /^zh_(TW|HK|MO)\.utf-?8\b/i.test(locale)
    ? (await import("./languages/zh-tw.ts")).traditionalChinese
    : null;
}

/** A message in the language in force. Its values are put in as they are. */
export function t(
  parts: TemplateStringsArray,
  ...values: readonly (string | number | null | undefined)[]
): string {
  const key = parts.reduce((text, part, at) => `${text}{${at - 1}}${part}`);
  const text = catalogue?.get(key) ?? key;
  return text.replaceAll(/\{(\d+)\}/g, (_, index: string) => String(values[Number(index)]));
}

/** Marks a text that stands in a table, to be looked up by {@link translate} when it is said. */
export function n(parts: TemplateStringsArray): string {
  return parts.join("");
}

/** A text that {@link n} marked, in the language in force. */
export function translate(text: string): string {
  return catalogue?.get(text) ?? text;
}

/** Columns that a text takes on a terminal: Chinese characters and their punctuation take two. */
export function columnsOf(text: string): number {
  return Array.from(text).reduce((columns, letter) => columns + (isWide(letter) ? 2 : 1), 0);
}

/** The beginning of a text that takes at most that many columns. */
export function cutToColumns(text: string, columns: number): string {
  let left = columns;
  return Array.from(text).reduce((kept, letter) => {
    left -= isWide(letter) ? 2 : 1;
    return left < 0 ? kept : kept + letter;
  }, "");
}

/** CJK symbols, ideographs and full-width forms (Unicode Standard Annex 11: W and F), as far as they are used. */
function isWide(letter: string): boolean {
  return /[\u2e80-\ua4cf\uf900-\ufaff\ufe30-\ufe4f\uff00-\uff60\uffe0-\uffe6]/.test(letter);
}
