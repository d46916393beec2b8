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

/** What a unit wants the running kernel has. */
function withKernels(delta: PatchedDelta): PatchedDelta {
  const references = delta.object.symbols.map((one) => {
    const reference = { object: "vmlinux", name: one.name, sympos: 0, patchedObject: "vmlinux" };
    return [one, reference] as const;
  });
  return { ...delta, livepatchReferences: new Map(references) };
}

const refused = (
  unit: string,
  defines: readonly string[],
  more: { readonly uses?: readonly string[]; readonly reshaped?: readonly string[] } = {},
): UnitDelta => ({ kind: "refused", unit, reasons: [], defines, ...more });
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

  test("takes a function that is called otherwise with all that call it, or leaves it with all", () => {
    const home = { ...patched("home.c", ["call"], []), reshaped: ["call"] };
    const caller = withKernels(patched("caller.c", [], ["call"]));
    const words = "has other parameters or another result in the update, and";
    expect(reasons(home, caller)).toEqual([]);
    expect(reasons(home, caller, refused("stays.c", [], { uses: ["call"] }))).toEqual([
      ["home.c", "needs-unit", `call ${words} stays.c on the other side cannot be carried`],
      ["caller.c", "needs-unit", `call ${words} home.c on the other side cannot be carried`],
    ]);
    expect(reasons(refused("home.c", [], { reshaped: ["call"] }), caller)).toEqual([
      ["caller.c", "needs-unit", `call ${words} home.c on the other side cannot be carried`],
    ]);
    expect(reasons(refused("home.c", []), caller)).toEqual([]);
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

test("neededBy() gives a function that is called otherwise with all that call it", () => {
  const deltas = [
    { ...patched("home.c", ["call"], []), reshaped: ["call"] },
    withKernels(patched("caller.c", [], ["call"])),
    patched("other.c", [], ["printk"]),
  ];
  expect(neededBy("home.c", deltas).map(({ unit }) => unit)).toEqual(["home.c", "caller.c"]);
  expect(neededBy("caller.c", deltas).map(({ unit }) => unit)).toEqual(["caller.c", "home.c"]);
  expect(neededBy("other.c", deltas).map(({ unit }) => unit)).toEqual(["other.c"]);
});
