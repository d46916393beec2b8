/** Which units can be linked together: those that find what they call. */
import type { PatchedDelta, UnitDelta } from "@kgraft/build";
import type { ObjectSection, ObjectSymbol } from "@kgraft/elf";
import { describe, expect, test } from "vitest";
import { linkable, neededBy } from "./closure.ts";
import type { ComparedUnit } from "./plan.ts";

const section: ObjectSection = {
  name: ".text",
  type: 1,
  flags: 6,
  alignment: 16,
  entrySizeBytes: 0,
  data: new Uint8Array(),
  sizeBytes: 0,
  relocations: [],
  livepatchRelocations: [],
  linkedTo: undefined,
  grouped: false,
};

function symbol(name: string, place: ObjectSymbol["place"]): ObjectSymbol {
  return { name, binding: 1, type: 0, other: 0, place, value: 0, sizeBytes: 0 };
}

/** What a unit gives to others, and what it wants of them. */
function patched(unit: string, defines: readonly string[], wants: readonly string[]): PatchedDelta {
  const symbols = [
    ...defines.map((name) => symbol(name, { kind: "section", section })),
    ...wants.map((name) => symbol(name, { kind: "undefined" })),
  ];
  return {
    kind: "patched",
    unit,
    shippedObject: "vmlinux",
    object: { name: unit, machine: 62, flags: 0, sections: [section], symbols },
    functions: [],
    added: [],
    livepatchReferences: new Map(),
    warnings: [],
  };
}

const refused = (unit: string, defines: readonly string[]): UnitDelta => ({
  kind: "refused",
  unit,
  reasons: [],
  defines,
});
const compared = (...deltas: UnitDelta[]): ComparedUnit[] =>
  [...Map.groupBy(deltas, ({ unit }) => unit)].map(([unit, ofUnit]) => ({
    unit,
    objects: [],
    deltas: ofUnit,
  }));
const kernel = {
  exports: new Map(
    Object.entries({ printk: "vmlinux", usb_submit: "usbcore" }).map(([name, object]) => [
      name,
      { name, object, crc: 0, namespace: "" },
    ]),
  ),
};
const reasons = (...deltas: UnitDelta[]): (readonly [unit: string, code: string, message: string])[] =>
  [...linkable(compared(...deltas), kernel).stranded.values()]
    .flat()
    .map(({ unit, code, message }) => [unit, code, message]);

describe("linkable()", () => {
  test("takes units that find what they call: in each other, in what vmlinux exports", () => {
    const { carried, stranded } = linkable(
      compared(patched("a.c", ["one"], ["two", "printk"]), patched("b.c", ["two"], ["one"])),
      kernel,
    );
    expect([...carried.keys()]).toEqual(["a.c", "b.c"]);
    expect(stranded.size).toBe(0);
  });

  test("leaves a unit behind whose callee stays behind, and those that need it in turn", () => {
    const chain = [
      patched("a.c", [], ["two"]),
      patched("b.c", ["two"], ["three"]),
      refused("c.c", ["three"]),
    ];
    expect(reasons(...chain)).toEqual([
      ["b.c", "needs-unit", "three is new in c.c, which cannot be carried"],
      ["a.c", "needs-unit", "two is new in b.c, which cannot be carried"],
    ]);
  });

  test("leaves a unit behind that calls what nothing defines, or what only a module exports", () => {
    expect(reasons(patched("a.c", [], ["nowhere"]), patched("b.c", [], ["usb_submit"]))).toEqual([
      ["a.c", "needs-unit", "nowhere is new, and no unit that is carried defines it"],
      [
        "b.c",
        "needs-module",
        "usb_submit is module usbcore's, which the patched module does not need so far",
      ],
    ]);
  });

  test("takes a unit of two objects whole or not at all", () => {
    const { carried } = linkable(compared(patched("a.c", ["one"], []), refused("a.c", [])), kernel);
    expect(carried.size).toBe(0);
  });
});

test("neededBy() gives a unit with those whose new functions it calls, round about too", () => {
  const deltas = [
    patched("a.c", [], ["two"]),
    patched("b.c", ["two"], ["three"]),
    patched("c.c", ["three"], ["two"]),
    patched("d.c", ["four"], ["three"]),
  ];
  expect(neededBy("a.c", deltas).map(({ unit }) => unit)).toEqual(["a.c", "b.c", "c.c"]);
  expect(neededBy("d.c", deltas).map(({ unit }) => unit)).toEqual(["d.c", "c.c", "b.c"]);
});
