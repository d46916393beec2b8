import * as fc from "fast-check";
import { expect, test } from "vitest";
import { parseFtraceRecords } from "./ftrace.ts";

const none = {
  object: "vmlinux",
  name: "f",
  users: 1,
  flags: "",
  trampoline: null,
  handler: null,
  direct: null,
};
const klp = "klp_ftrace_handler";

test.each([
  [
    "a live patch alone",
    `f (1)   I  \ttramp: 0xffffffffc045b000 (${klp}+0x0/0x110) ->${klp}+0x0/0x110`,
    { ...none, flags: "I", trampoline: -0x3fba5000n, handler: klp },
  ],
  [
    "several users, of a module",
    "f [lp_sleep] (2) R I  \t->arch_ftrace_ops_list_func+0x0/0x1d0",
    { ...none, object: "lp_sleep", users: 2, flags: "RI", handler: "arch_ftrace_ops_list_func" },
  ],
  [
    "bpf beside a live patch",
    "f (2) R I D \t->ftrace_ops_list_func+0x0/0x1\n\tdirect-->bpf_trampoline_64_0+0x0/0x64",
    { ...none, users: 2, flags: "RID", handler: "ftrace_ops_list_func", direct: "bpf_trampoline_64_0" },
  ],
  [
    "the columns of 6.12",
    `f (1)    I     M    \ttramp: 0xffffffffc045b000 (${klp}+0x0/0x110) ->${klp}+0x0/0x110`,
    { ...none, flags: "IM", trampoline: -0x3fba5000n, handler: klp },
  ],
  ["a trampoline that is gone", "f (1)   I  \ttramp: ERROR!", { ...none, flags: "I" }],
])("parseFtraceRecords() reads %s", (_, text, record) => {
  expect(parseFtraceRecords(`${text}\n`)).toEqual([record]);
});

test("parseFtraceRecords() takes any text, and gives whole records", () => {
  const word = fc.constantFrom(
    "f",
    " (",
    "1",
    ") ",
    "R I",
    "\t",
    "tramp: 0x",
    "->",
    "direct-->",
    "\n",
    " [m]",
  );
  fc.assert(
    fc.property(fc.array(fc.oneof(word, fc.string())), (words) => {
      for (const { name, users, flags } of parseFtraceRecords(words.join(""))) {
        expect(name).not.toBe("");
        expect(users).toBeGreaterThanOrEqual(0);
        expect(flags).toMatch(/^[A-Z]*$/);
      }
    }),
  );
});
