/** As much of XML as is needed for documents of a known form: no namespaces, no CDATA, no nested elements of one name. */

const entities: ReadonlyMap<string, string> = new Map([
  ["lt", "<"],
  ["gt", ">"],
  ["quot", '"'],
  ["apos", "'"],
  ["amp", "&"],
]);

/** Text of a document as it is meant. */
export function decodeEntities(text: string): string {
  return text.replaceAll(/&(lt|gt|quot|apos|amp);/g, (_, name: string) => entities.get(name) ?? "");
}

/** Text as it stands in a document. */
export function encodeEntities(text: string): string {
  return [...entities]
    .toReversed()
    .reduce((encoded, [name, letter]) => encoded.replaceAll(letter, `&${name};`), text);
}

/** What a start tag says of itself. */
export function attributesOf(tag: string): Readonly<Record<string, string>> {
  return Object.fromEntries(
    [...tag.matchAll(/([\w-]+)\s*=\s*(?:"([^"]*)"|'([^']*)')/g)].map(([, name = "", double, single]) => [
      name,
      decodeEntities(double ?? single ?? ""),
    ]),
  );
}

/** Content of the first element of that name, without attributes; "" for an empty one, null for none. */
export function elementText(text: string, name: string): string | null {
  const match = new RegExp(`<${name}>(.*?)</${name}>|<${name}\\s*/>`, "s").exec(text);
  return match && decodeEntities((match[1] ?? "").trim());
}
