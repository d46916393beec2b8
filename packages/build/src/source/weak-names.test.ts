import { expect, test } from "vitest";
import { weakNames } from "./weak-names.ts";

test.each([
  [
    "void __weak arch_perf_update_userpage(\n\tstruct perf_event *event, u64 now)\n{\n}",
    "arch_perf_update_userpage",
  ],
  ["__weak struct cpumask *arch_mask(int cpu) { return 0; }", "arch_mask"],
  ["void __init __weak mem_encrypt_init(void) { }", "mem_encrypt_init"],
  ["extern int hook(int) __weak;", undefined],
  ["int __weak\nsetup_hook(void)\n{", "setup_hook"],
  ["unsigned long __weak limits[4];", "limits"],
  ["int __weak enabled = 1;", "enabled"],
  ["COND_SYSCALL(io_setup);", "__x64_sys_io_setup"],
  ["int strong(void) { return 1; }", undefined],
])("weakNames() of %j", (text, name) => {
  expect(weakNames(text)).toEqual(name === undefined ? [] : [name]);
});
