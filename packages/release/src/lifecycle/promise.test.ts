import type { LifecyclePolicy } from "@kgraft/contract";
import { describe, expect, test } from "vitest";
import { addMonths, secondsOfDay } from "./days.ts";
import { promise } from "./promise.ts";

const year: LifecyclePolicy = { schema: "kgraft-lifecycle-policy/1", months: 12 };
const a = "6.1.0-55-cloud-amd64";
const first = promise(null, [{ release: a, on: "2026-11-25" }], year);

test.each([
  ["2026-11-25", 12, "2027-11-25"],
  ["2024-01-31", 1, "2024-02-29"],
  ["2026-10-31", 13, "2027-11-30"],
  ["2024-02-29", 12, "2025-02-28"],
])("addMonths() %s + %i", (day, months, wanted) => {
  expect(addMonths(day, months)).toBe(wanted);
});

test.each(["2027-02-30", "2027-2-3", "2027-13-01", "27-01-01", "2027-01-01T00:00", ""])(
  "secondsOfDay() takes %j for no day",
  (text) => {
    expect(secondsOfDay(text)).toBe(null);
  },
);

describe("promise()", () => {
  test("counts from the first live patch, and names the packages as both package managers do", () => {
    expect(first.kernels).toEqual([
      {
        release: a,
        packages: [`kgraft-patch-${a}`, "kgraft-patch-6_1_0-55-cloud-amd64"],
        since: "2026-11-25",
        until: "2027-11-25",
      },
    ]);
  });

  test.each<[string, readonly { release: string; on: string }[], LifecyclePolicy, string]>([
    ["a later patch moves nothing", [{ release: a, on: "2027-03-01" }], year, "2027-11-25"],
    ["a shorter policy keeps what was promised", [], { ...year, months: 3 }, "2027-11-25"],
    ["a longer policy holds for all", [], { ...year, months: 24 }, "2028-11-25"],
    ["the table prolongs", [], { ...year, kernels: { [a]: "2030-01-01" } }, "2030-01-01"],
    ["the table takes back", [], { ...year, kernels: { [a]: "2026-12-31" } }, "2026-12-31"],
    ["the table of another kernel", [], { ...year, kernels: { other: "2026-12-31" } }, "2027-11-25"],
  ])("%s", (_, published, policy, until) => {
    expect(promise(first, published, policy).kernels).toEqual([{ ...first.kernels[0], until }]);
  });

  test("sorts by release, whatever the order", () => {
    const more = promise(first, [{ release: "5.10.0-1-amd64", on: "2026-12-01" }], year);
    expect(more.kernels.map(({ release }) => release)).toEqual(["5.10.0-1-amd64", a]);
  });
});
