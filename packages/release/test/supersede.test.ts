import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { type Advisory, advisorySchema } from "@kgraft/contract";
import { afterAll, beforeAll, expect, test } from "vitest";
import { makeDeb, release } from "./make-package.ts";
import { newKey, publishWith, scratch, type Scratch } from "./scratch.ts";

// Live patches are cumulative: each advisory says which one takes its place, and a retracted one takes nobody's.

let place: Scratch;
let key: string;
const id = (counter: number): string => `KGRAFT-${release}-${counter}`;

beforeAll(async () => {
  place = await scratch();
  key = await newKey(join(place.path, "key.asc"));
  for (const counter of [2, 3, 4]) {
    await publishWith([key], place.repository, [await makeDeb(place.path, { counter })]);
  }
});
afterAll(() => place?.[Symbol.asyncDispose]());

async function told(counter: number): Promise<Pick<Advisory, "status" | "supersededBy">> {
  const text = await readFile(join(place.repository, `advisories/stable/${id(counter)}.json`), "utf8");
  const { status, supersededBy } = advisorySchema.parse(JSON.parse(text));
  return { status, ...(supersededBy !== undefined && { supersededBy }) };
}

test("each one is superseded by the next", async () => {
  expect(await Promise.all([2, 3, 4].map(told))).toEqual([
    { status: "stable", supersededBy: id(3) },
    { status: "stable", supersededBy: id(4) },
    { status: "stable" },
  ]);
});

test("where the next was retracted, by the one after it; where there is none, by nothing", async () => {
  await publishWith([key], place.repository, [], { retract: { advisory: id(3), reason: "it deadlocks" } });
  expect(await told(2)).toEqual({ status: "stable", supersededBy: id(4) });
  await publishWith([key], place.repository, [], { retract: { advisory: id(4), reason: "so does it" } });
  expect(await told(2)).toEqual({ status: "stable" });
  expect(await told(4)).toEqual({ status: "retracted" });
  await publishWith([key], place.repository, [await makeDeb(place.path, { counter: 5 })]);
  expect(await told(2)).toEqual({ status: "stable", supersededBy: id(5) });
});
