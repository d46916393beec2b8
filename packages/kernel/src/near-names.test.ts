import { expect, test } from "vitest";
import { nearNames } from "./near-names.ts";

const names = ["6.1.0-55-amd64", "6.1.0-55-cloud-amd64", "6.1.0-56-cloud-amd64", "6.12.1-rt-arm64"];

test("nearNames() best first", () => {
  expect(nearNames("6.1.0-57-cloud-amd64", names).slice(0, 2)).toEqual([
    "6.1.0-55-cloud-amd64",
    "6.1.0-56-cloud-amd64",
  ]);
});

test("nearNames() nothing for what is like none", () => {
  expect(nearNames("nothing-of-the-kind-whatsoever", names)).toEqual([]);
});
