/**
 * Makes docs/schema: the JSON Schemas of what `kgr --json` prints, drawn from the types in packages/contract with
 * their comments, and those of the manifest and the lifecycle data, drawn from the schemas by which they are read.
 *
 *     scripts/with-node.sh node packages/contract/build/schemas.ts
 *
 * A test (packages/contract/src/schemas.test.ts) fails when they are not what the types say.
 */
import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { createGenerator } from "ts-json-schema-generator";
import { toJSONSchema, type ZodMiniType } from "zod/mini";
import { lifecyclePolicySchema, lifecycleSchema, manifestSchema } from "../src/mod.ts";

const root = resolve(import.meta.dirname, "../../..");
const types = resolve(import.meta.dirname, "../src/*.ts");
const reports = resolve(import.meta.dirname, "../src/host-report.ts");

/** Documents that are read by a schema, which is published with the comments of their type. */
const documents: readonly { readonly file: string; readonly type: string; readonly checked: ZodMiniType }[] =
  [
    { file: "manifest.json", type: "Manifest", checked: manifestSchema },
    { file: "lifecycle.json", type: "Lifecycle", checked: lifecycleSchema },
    { file: "lifecycle-policy.json", type: "LifecyclePolicy", checked: lifecyclePolicySchema },
  ];

/** Where the schemas are published. */
export const schemaDirectory: string = join(root, "docs/schema");

/** All schemas, by the name of their file. A report is a type whose comment begins with the command that prints it. */
export function makeSchemas(): ReadonlyMap<string, object> {
  const generator = createGenerator({
    path: types,
    tsconfig: join(root, "tsconfig.json"),
    skipTypeCheck: true, // tsc has done that
    topRef: false,
  });
  const exported = readFileSync(reports, "utf8").matchAll(/^export interface (\w+)Report /gm);
  const schemas = new Map<string, object>();
  for (const { file, type, checked } of documents) {
    const schema = toJSONSchema(checked) as Schema;
    describe(schema, generator.createSchema(type) as Schema);
    schemas.set(file, schema);
  }
  for (const [, name = ""] of exported) {
    const schema = generator.createSchema(`${name}Report`);
    if (schema.description?.startsWith("`kgr ") === true) {
      schemas.set(`kgr-${name.toLowerCase()}.json`, schema);
    }
  }
  return schemas;
}

interface Schema {
  description?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly items?: Schema;
  readonly $ref?: string;
  readonly definitions?: Readonly<Record<string, Schema>>;
}

/** Takes over the comments of the types: the schema that checks has none. */
function describe(
  target: Schema,
  source: Schema,
  definitions: Schema["definitions"] = source.definitions,
): void {
  const named = source.$ref?.split("/").at(-1);
  const { description, properties = {}, items } = named === undefined ? source : (definitions?.[named] ?? {});
  const text = source.description ?? description;
  if (text !== undefined) {
    target.description = text;
  }
  for (const [name, property] of Object.entries(properties)) {
    const own = target.properties?.[name];
    if (own !== undefined) {
      describe(own, property, definitions);
    }
  }
  if (items !== undefined && target.items !== undefined) {
    describe(target.items, items, definitions);
  }
}

if (import.meta.main) {
  mkdirSync(schemaDirectory, { recursive: true });
  for (const [name, schema] of makeSchemas()) {
    writeFileSync(join(schemaDirectory, name), JSON.stringify(schema, null, 2));
  }
  execFileSync("oxfmt", [schemaDirectory]);
}
