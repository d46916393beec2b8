import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, test } from "vitest";
import { makeSchemas, schemaDirectory } from "../build/schemas.ts";

const schemas = makeSchemas();

describe("docs/schema says what the types say (else: node packages/contract/build/schemas.ts)", () => {
  test.each([...schemas])("%s", (name, schema) => {
    const published: unknown = JSON.parse(readFileSync(path.join(schemaDirectory, name), "utf8"));
    expect(published).toEqual(JSON.parse(JSON.stringify(schema)));
  });

  test("and has no others", () => {
    expect(readdirSync(schemaDirectory).toSorted()).toEqual([...schemas.keys()].toSorted());
  });
});
