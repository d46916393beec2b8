/**
 * What a difference engine must handle, points 11 and 12: each special section, entry by entry, and keys of static
 * branches and static calls.
 */
import { type ObjectSection, STT_SECTION } from "@kgraft/elf";
import { describe, expect, test } from "vitest";
import { deltaOf, kernelTarget, type Patched, patchedOf, referencesOf, replacedBy } from "../test/compile.ts";
import type { LinkTarget } from "./mod.ts";

const sectionOfName = (verdict: Patched, name: string): ObjectSection | undefined =>
  verdict.object.sections.find((section) => section.name === name);
const withoutTypes: LinkTarget = kernelTarget({ typeSizes: new Map() });

/** Three functions, each with an instruction that a table tells of; `n` is what changes in one of them. */
function functions(statement: (name: string) => string, n: number): string {
  return ["a", "b", "c"]
    .map((name) => `int ${name}(int x) { ${statement(name)} return value(x + ${name === "b" ? n : 1}); }`)
    .join("\n");
}

const push = (section: string, flags: string, entry: string): string =>
  `.pushsection ${section},\\"${flags}\\",@progbits\\n${entry}\\n.popsection`;
const volatile = (...lines: readonly string[]): string => `asm volatile("${lines.join("\\n")}");`;
/** Text as the inside of a C string. */
const asm = (code: string, ...tables: readonly string[]): string =>
  volatile(...[code, ...tables].map((line) => line.replaceAll("\n", "\\n")));

interface Row {
  readonly section: string;
  readonly statement: (name: string) => string;
  readonly entrySizeBytes: number;
  /** What else comes along. */
  readonly with?: readonly string[];
}

const rows: readonly Row[] = [
  {
    section: "__bug_table",
    statement: () => asm("1: ud2", push("__bug_table", "aw", ".long 1b - .\n.long 0\n.word 7, 0")),
    entrySizeBytes: 12,
  },
  {
    section: "__ex_table",
    statement: () =>
      asm("1: nop\n2:", push("__ex_table", "a", ".balign 4\n.long 1b - .\n.long 2b - .\n.long 3")),
    entrySizeBytes: 12,
  },
  {
    section: "__ex_table",
    statement: () =>
      asm(
        "1: nop\n2:",
        push(".fixup", "ax", "3: mov $14, %eax\njmp 2b"),
        push("__ex_table", "a", ".balign 4\n.long 1b - .\n.long 3b - .\n.long 0"),
      ),
    entrySizeBytes: 12,
    with: [".fixup"],
  },
  {
    section: ".altinstructions",
    statement: () =>
      asm(
        "661: nop\n662:",
        push(".altinstructions", "a", ".long 661b - .\n.long 663f - .\n.word 7\n.byte 662b-661b, 664f-663f"),
        push(".altinstr_replacement", "ax", "663: stc\n664:"),
      ),
    entrySizeBytes: 12,
    with: [".altinstr_replacement"],
  },
  {
    section: ".altinstructions",
    statement: () =>
      asm(
        "661: jmp 6f\n662:",
        push(".altinstructions", "a", ".long 661b - .\n.long 663f - .\n.word 7\n.byte 662b-661b, 664f-663f"),
        push(".altinstr_replacement", "ax", "663: stc\n664:"),
        push(".altinstr_aux", "ax", "6: testb $1, boot_flags\njnz 662b\njmp 662b"),
      ),
    entrySizeBytes: 12,
    with: [".altinstr_replacement", ".altinstr_aux"],
  },
  {
    section: ".parainstructions",
    statement: () =>
      asm(
        "771: call *boot_flags\n772:",
        push(".parainstructions", "a", ".balign 8\n.quad 771b\n.byte 5\n.byte 772b-771b"),
      ),
    entrySizeBytes: 16,
  },
  {
    section: ".smp_locks",
    statement: () => asm("671: lock incl boot_flags", push(".smp_locks", "a", ".balign 4\n.long 671b - .")),
    entrySizeBytes: 4,
  },
  {
    section: "__jump_table",
    statement: (name) =>
      asm(
        "1: .byte 0x0f,0x1f,0x44,0x00,0x00\n2:",
        push("__jump_table", "aw", `.balign 8\n.long 1b - ., 2b - .\n.quad key_of_${name} - .`),
      ),
    entrySizeBytes: 16,
  },
  {
    section: ".static_call_sites",
    statement: () =>
      asm(
        "1: call __SCT__tick",
        push(".static_call_sites", "aw", ".balign 4\n.long 1b - .\n.long __SCK__tick - ."),
      ),
    entrySizeBytes: 8,
  },
  ...[".call_sites", ".retpoline_sites", ".return_sites", ".ibt_endbr_seal", ".cfi_sites", ".kcfi_traps"].map(
    (section): Row => ({
      section,
      statement: () => asm("1: nop", push(section, "a", ".balign 4\n.long 1b - .")),
      entrySizeBytes: 4,
    }),
  ),
  {
    section: ".orc_unwind_ip",
    statement: () =>
      asm("1: nop", push(".orc_unwind_ip", "a", ".long 1b - ."), push(".orc_unwind", "a", ".word 8, 0, 5")),
    entrySizeBytes: 4,
    with: [".orc_unwind"],
  },
  {
    section: ".discard.reachable",
    statement: () => asm("1: nop", push(".discard.reachable", "", ".long 1b - .")),
    entrySizeBytes: 4,
  },
];

describe("computeDelta() point 11, tables of code", () => {
  test.each(rows)("$section (with $with): the entries of carried functions and no others", (row) => {
    const source = (n: number): string => functions(row.statement, n);
    expect(deltaOf(source(1), source(1)).kind).toBe("unchanged");
    const verdict = patchedOf(source(1), source(2));
    expect(replacedBy(verdict)).toEqual(["b"]);
    const table = sectionOfName(verdict, row.section);
    // The last entry of a table may lack its padding.
    expect(Math.ceil((table?.sizeBytes ?? 0) / row.entrySizeBytes)).toBe(1);
    const [first] = table?.relocations ?? [];
    expect(first).toMatchObject({
      offset: 0,
      // Against the section, as objtool wants it.
      symbol: { type: STT_SECTION, place: { kind: "section", section: { name: ".text.b" } } },
    });
    for (const name of row.with ?? []) {
      const all = verdict.object.sections.filter((section) => section.name === name);
      expect(all.map(({ sizeBytes }) => sizeBytes > 0)).toEqual([true]);
    }
  });

  const inferred = rows.filter(({ section }) => /bug|ex_t|alti|para|jump|static/.test(section));
  test.each(inferred)("$section: sizes of entries are read off the table where no type says them", (row) => {
    const source = (n: number): string => functions(row.statement, n);
    const [typed, untyped] = [kernelTarget(), withoutTypes].map((target) => {
      const table = sectionOfName(patchedOf(source(1), source(2), target), row.section);
      return [table?.data, table?.relocations.map(({ offset }) => offset)];
    });
    expect(untyped).toEqual(typed);
  });

  test("__mcount_loc: the traced entry of each carried function", () => {
    const verdict = patchedOf(
      functions(() => "", 1),
      functions(() => "", 2),
    );
    expect(sectionOfName(verdict, "__mcount_loc")?.sizeBytes).toBe(8);
    expect(referencesOf(verdict, "__mcount_loc")).toEqual([".text.b"]);
  });

  test(".printk_index: descriptions come with the function that they name", () => {
    const indexed = (name: string): string => `{
      static const struct { const char *format, *function, *file; int line; } _entry used =
        { "${name} %d\\n", __func__, "unit.c", 7 };
      static const void *_entry_ptr used section(".printk_index") = &_entry;
      printk("${name} %d\\n", x); }`;
    expect(deltaOf(functions(indexed, 1), functions(indexed, 1)).kind).toBe("unchanged");
    const verdict = patchedOf(functions(indexed, 1), functions(indexed, 2));
    expect(replacedBy(verdict)).toEqual(["b"]);
    expect(sectionOfName(verdict, ".printk_index")?.sizeBytes).toBe(8);
    const described = verdict.object.sections.filter(({ name }) => name.includes("_entry"));
    expect(described.map(({ sizeBytes }) => sizeBytes)).toEqual([32]);
    const texts = verdict.object.sections.map(({ data }) => new TextDecoder().decode(data));
    expect(texts).toEqual(expect.arrayContaining(["b %d\n\0", "b\0"]));
    expect(texts).not.toContain("a %d\n\0");
  });

  test("a table's entry alone can be what changed", () => {
    const bug = (line: number): string =>
      functions(
        (name) =>
          asm(
            "1: ud2",
            push("__bug_table", "aw", `.long 1b - .\n.long 0\n.word ${name === "b" ? line : 7}, 0`),
          ),
        1,
      );
    expect(replacedBy(patchedOf(bug(7), bug(8)))).toEqual(["b"]);
    const replacement = (instruction: string): string =>
      functions(
        (name) =>
          asm(
            "661: nop\n662:",
            push(
              ".altinstructions",
              "a",
              ".long 661b - .\n.long 663f - .\n.word 7\n.byte 662b-661b, 664f-663f",
            ),
            push(".altinstr_replacement", "ax", `663: ${name === "b" ? instruction : "stc"}\n664:`),
          ),
        1,
      );
    expect(replacedBy(patchedOf(replacement("stc"), replacement("clc")))).toEqual(["b"]);
  });

  test("an alternative that replaces by nothing comes without its neighbour's", () => {
    const source = (next: string, n: number): string =>
      functions(
        (name) =>
          asm(
            "661: nop\n662:",
            push(
              ".altinstructions",
              "a",
              ".long 661b - .\n.long 663f - .\n.word 7\n.byte 662b-661b, 664f-663f",
            ),
            push(".altinstr_replacement", "ax", `663: ${name === "b" ? "" : next}\n664:`),
          ),
        n,
      );
    expect(replacedBy(patchedOf(source("stc", 1), source("clc", 1)))).toEqual(["a", "c"]);
    const verdict = patchedOf(source("stc", 1), source("stc", 2));
    expect(sectionOfName(verdict, ".altinstructions")?.sizeBytes).toBe(12);
    expect(sectionOfName(verdict, ".altinstr_replacement")).toBeUndefined();
  });

  test("code may point at the entry that comes along with it", () => {
    const warn = (name: string, n: number): string => `
      int ${name}(int x) {
        void *entry;
        asm volatile("lea 2f(%%rip), %0\\n1: ud2\\n${push("__bug_table", "aw", `2: .long 1b - .\\n .long 0\\n .word ${n}, 0`)}" : "=r" (entry));
        return value(x + ${n} + *(int *)entry);
      }`;
    const verdict = patchedOf(
      warn("a", 1) + warn("b", 1) + warn("c", 1),
      warn("a", 1) + warn("b", 1) + warn("c", 2),
    );
    const toTable = sectionOfName(verdict, ".text.c")?.relocations.filter(
      ({ symbol: { place } }) => place.kind === "section" && place.section.name === "__bug_table",
    );
    expect(sectionOfName(verdict, "__bug_table")?.sizeBytes).toBe(12);
    expect(toTable?.map(({ addend }) => addend)).toEqual([-4]);
  });
});

describe("computeDelta() point 11, sections chosen by attributes", () => {
  test.each([".noinstr.text", ".sched.text", ".spinlock.text", ".cpuidle.text"])(
    "%s: one function of several",
    (section) => {
      const source = (n: number): string => `
        section("${section}") int a(int x) { return value(x) + 1; }
        section("${section}") int b(int x) { return value(x) + ${n}; }
        section("${section}") int c(int x) { return value(x) + 1; }`;
      const verdict = patchedOf(source(1), source(2));
      expect(replacedBy(verdict)).toEqual(["b"]);
      expect(verdict.object.sections.filter(({ name }) => name === section)).toHaveLength(1);
    },
  );

  test.each([
    ".data..read_mostly",
    ".data..percpu",
    ".data..ro_after_init",
    ".data.once",
    ".bss..page_aligned",
  ])("%s: existing variables stay where they are, new ones come along", (section) => {
    const source = (more: string, use: string, n: number): string => `
        long one section("${section}"), two section("${section}"); ${more}
        int user(int x) { one += x; two -= x; ${use} return value(x + ${n}); }`;
    const verdict = patchedOf(
      source("", "", 1),
      source(`static long three section("${section}");`, "three++;", 2),
    );
    expect(referencesOf(verdict, ".text.user")).toEqual(
      expect.arrayContaining(["original one", "original two"]),
    );
    expect(
      verdict.object.sections.filter(({ name }) => name === section).map(({ sizeBytes }) => sizeBytes),
    ).toEqual([8]);
  });

  test("__dyndbg: the descriptor of a debug message, whatever its number", () => {
    const debug = (id: number, text: string, n: number): string => `
      extern void keep(void *);
      int debugged(int x) {
        static struct { const char *format; long key; } __UNIQUE_ID_ddebug${id} section("__dyndbg") = { "${text}" };
        if (x == 5) keep(&__UNIQUE_ID_ddebug${id});
        return value(x + ${n});
      }`;
    expect(deltaOf(debug(1, "one", 1), debug(2, "one", 1))).toEqual({ kind: "unchanged" });
    const verdict = patchedOf(debug(1, "one", 1), debug(2, "two", 1));
    expect(replacedBy(verdict)).toEqual(["debugged"]);
    expect(sectionOfName(verdict, "__dyndbg")?.sizeBytes).toBe(16);
  });

  test("__tracepoints*: a tracepoint of the unit is used where it is; a new one is refused", () => {
    const source = (n: number, more: string): string => `
      struct tracepoint { const char *name; long key[2]; };
      static const char __tpstrtab_t[] section("__tracepoints_strings") = "t";
      used struct tracepoint __tracepoint_t section("__tracepoints") = { __tpstrtab_t };
      used section("__tracepoints_ptrs") static struct tracepoint *__tracepoint_ptr_t = &__tracepoint_t;
      ${more}
      int user(int x) { if (__tracepoint_t.key[0]) value(1); return value(x + ${n}); }`;
    expect(referencesOf(patchedOf(source(1, ""), source(2, "")), ".text.user")).toContain(
      "original __tracepoint_t",
    );
    const fresh = 'used struct tracepoint __tracepoint_u section("__tracepoints") = { 0 };';
    expect(deltaOf(source(1, ""), source(2, fresh))).toMatchObject({
      kind: "refused",
      reasons: [{ code: "changed-section", subject: "__tracepoints" }],
    });
  });

  test.each(["__tracepoint_check", ".export_symbol", ".no_trim_symbol", ".eh_frame", ".note.linux"])(
    "%s: the linker throws it away, and nothing of it counts",
    (section) => {
      const source = (more: string): string => `
        ${more === "" ? "" : `used static const char name[] section("${section}") = "${more}";`}
        int user(int x) { return value(x); }`;
      expect(deltaOf(source("one"), source("other"))).toEqual({ kind: "unchanged" });
      expect(deltaOf(source(""), source("new"))).toEqual({ kind: "unchanged" });
    },
  );

  test(".init*: a changed one is refused, one that only moved is none", () => {
    const source = (n: number, more: string): string => `
      static int settings section(".init.data") = 4;
      ${more}
      section(".init.text") int setup(int x) { return value(x + settings + ${n}); }
      int user(int x) { return value(x); }`;
    expect(deltaOf(source(1, ""), source(1, "extern int more;"))).toEqual({ kind: "unchanged" });
    expect(deltaOf(source(1, ""), source(2, ""))).toMatchObject({
      kind: "refused",
      reasons: [{ code: "changed-init", subject: "setup" }],
    });
  });

  test(".exit*: of a module it runs when that goes, and can be replaced", () => {
    const source = (n: number): string =>
      `section(".exit.text") int leave(int x) { return value(x + ${n}); }`;
    const verdict = patchedOf(source(1), source(2), kernelTarget({ object: "loop" }));
    expect(replacedBy(verdict)).toEqual(["leave"]);
  });
});

describe("computeDelta() point 12, keys of static branches and static calls", () => {
  const branch = (key: string, n: number): string => `
    extern long ${key}[2];
    int switched(int x) {
      asm goto("1: .byte 0x0f,0x1f,0x44,0x00,0x00\\n.pushsection __jump_table,\\"aw\\"\\n .balign 8\\n"
        " .long 1b - ., %l[yes] - .\\n .quad ${key} - .\\n.popsection" : : : : yes);
      return value(x + ${n});
      yes: return value(x - ${n});
    }`;
  const inModule = (name: string): LinkTarget =>
    kernelTarget({
      object: "loop",
      resolve: (request) => ({
        kind: "livepatch",
        object: request.name === name ? "loop" : "vmlinux",
        sympos: 0,
      }),
    });

  test("a key in vmlinux is fine", () => {
    const verdict = patchedOf(branch("some_key", 1), branch("some_key", 2));
    expect(referencesOf(verdict, "__jump_table")).toContain("original some_key");
  });

  test("a key in the patch itself is fine", () => {
    const source = (n: number): string =>
      branch("own_key", n).replace("extern long own_key[2]", "static long used own_key[2]");
    const verdict = patchedOf("int switched(int x) { return value(x); }", source(2), inModule("own_key"));
    expect(sectionOfName(verdict, "__jump_table")?.sizeBytes).toBe(16);
    expect(verdict.object.symbols.map(({ name }) => name)).toContain("own_key");
  });

  test("the key of a static call comes beside its trampoline", () => {
    const source = (n: number): string =>
      `extern int __SCT__tick(int); int f(int x) { return __SCT__tick(x) + value(${n}); }`;
    const names = patchedOf(source(1), source(2)).object.symbols.flatMap(({ name, place }) =>
      place.kind === "undefined" ? [name] : [],
    );
    expect(names).toContain("__SCK__tick");
  });

  test.each(["__tracepoint_x", "__UNIQUE_ID_ddebug5"])("%s of a module stays off, with a warning", (key) => {
    const verdict = patchedOf(branch(key, 1), branch(key, 2), inModule(key));
    // By a key of the patch's own, so that objtool and the kernel find a site like any other.
    expect(referencesOf(verdict, "__jump_table")).toContain("kgraft_never");
    expect(referencesOf(verdict, "__jump_table")).not.toContain(`original ${key}`);
    expect(sectionOfName(verdict, ".data.kgraft_never")?.sizeBytes).toBe(16);
    expect(verdict.warnings.map(({ code }) => code)).toEqual(["unreachable-key"]);
  });

  test("the site of a module's static call is not listed: the call goes through the trampoline", () => {
    const call = (n: number): string => `
      int f(int x) { ${asm("1: call __SCT__tick", push(".static_call_sites", "aw", ".balign 4\n.long 1b - .\n.long __SCK__tick - ."))}
        return value(x + ${n}); }`;
    const verdict = patchedOf(call(1), call(2), inModule("__SCK__tick"));
    expect(sectionOfName(verdict, ".static_call_sites")).toBeUndefined();
    expect(referencesOf(verdict, ".text.f")).toContain("original __SCT__tick");
    expect(verdict.warnings).toEqual([]);
  });

  test("an alternative that replaces by nothing says nothing of the rest of its function", () => {
    const source = (n: number): string => `
      extern int late(int);
      int f(int x) {
        ${asm("661: nop\n662:", push(".altinstructions", "a", ".long 661b - .\n.long 663f - .\n.word 7\n.byte 662b-661b, 664f-663f"), push(".altinstr_replacement", "ax", "663:\n664:"))}
        return late(x + ${n});
      }`;
    expect(replacedBy(patchedOf(source(1), source(2), inModule("late")))).toEqual(["f"]);
  });

  test("any other key of a module is refused", () => {
    expect(deltaOf(branch("module_key", 1), branch("module_key", 2), inModule("module_key"))).toMatchObject({
      kind: "refused",
      reasons: [{ code: "unreachable-key" }],
    });
  });
});

describe("lists of BTF types", () => {
  const list = (id: string): string => `
    asm(".pushsection .BTF_ids,\\"a\\"\\n.local first\\nfirst:\\n.zero 4\\n"
      ".local __BTF_ID__func__one__1\\n.type __BTF_ID__func__one__1,@object\\n.size __BTF_ID__func__one__1,4\\n"
      "__BTF_ID__func__one__1: .zero 4\\n"
      ".local second\\nsecond:\\n"
      ".local __BTF_ID__func__${id}\\n.type __BTF_ID__func__${id},@object\\n.size __BTF_ID__func__${id},4\\n"
      "__BTF_ID__func__${id}: .zero 4\\n.popsection");
    extern unsigned first[], second[];`;
  const user = (n: number): string => `int user(int x) { return value(x + ${n}) + second[0]; }`;

  test("are reached in the running kernel, by the list's own label", () => {
    const verdict = patchedOf(list("two__2") + user(1), list("two__77") + user(2));
    expect(referencesOf(verdict, ".text.user")).toContain("original second");
    expect([...verdict.livepatchReferences.values()].map(({ name }) => name)).toContain("second");
    expect(verdict.object.sections.map(({ name }) => name)).not.toContain(".BTF_ids");
  });

  test("are refused when another type is asked for, though the bytes are the same", () => {
    expect(deltaOf(list("two__2") + user(1), list("three__2") + user(2))).toMatchObject({
      kind: "refused",
      reasons: [{ code: "changed-data", subject: "second" }],
    });
  });
});
