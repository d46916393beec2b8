/**
 * The selected parts as an object of their own: each part a section named as it was, each reference bound as the
 * selection says. Names that only the livepatch core can resolve stay plain undefined symbols here, told apart by
 * the map beside the object, because tools that still have to read the object know nothing of SHN_LIVEPATCH.
 */
import {
  type ElfObject,
  type ObjectRelocation,
  type ObjectSection,
  type ObjectSymbol,
  SHF_ALLOC,
  SHF_WRITE,
  SHT_PROGBITS,
  STB_LOCAL,
  STT_OBJECT,
  STT_SECTION,
} from "@kgraft/elf";
import { isNameable, livepatchName, type LivepatchReference } from "./klp.ts";
import {
  describe,
  isInit,
  type Part,
  partBytes,
  sectionNameInModule,
  sectionSymbol,
  undefinedSymbol,
} from "./part.ts";
import type { Parts, Reference } from "./parts.ts";
import type { Reason } from "./reasons.ts";
import { type Binding, requestOf, type Selection } from "./select.ts";
import type { SpecialEntry } from "./special.ts";
import type { LinkTarget } from "./target.ts";

/** struct static_key: a count, and a pointer. */
const STATIC_KEY_BYTES = 16;

/** A special section of the output. */
interface Table {
  readonly entries: readonly SpecialEntry[];
  readonly entrySizeBytes: number;
  readonly section: ObjectSection;
  readonly symbol: ObjectSymbol;
}

export class Output {
  readonly object: ElfObject;
  readonly livepatchReferences: Map<ObjectSymbol, LivepatchReference> = new Map();
  readonly reasons: Reason[] = [];
  readonly warnings: Reason[] = [];
  readonly #patched: Parts;
  readonly #selection: Selection;
  readonly #target: LinkTarget;
  readonly #isNew: (part: Part) => boolean;
  readonly #symbols = new Map<Part, ObjectSymbol>();
  readonly #sectionSymbols = new Map<ObjectSection, ObjectSymbol>();
  readonly #outside = new Map<string, ObjectSymbol>();
  /** Entries whose key a live patch cannot reach, and where in them it stands. */
  readonly #off = new Map<Part, number>();
  /** The key that is never switched on. */
  #never: ObjectSymbol | undefined;
  /** Special sections of the output, by the section that their entries are from. */
  readonly #tables = new Map<ObjectSection, Table>();

  constructor(
    name: string,
    patched: Parts,
    selection: Selection,
    target: LinkTarget,
    isNew: (part: Part) => boolean,
  ) {
    this.object = {
      name,
      machine: patched.object.machine,
      flags: patched.object.flags,
      sections: [],
      symbols: [],
    };
    this.#patched = patched;
    this.#selection = selection;
    this.#target = target;
    this.#isNew = isNew;
    const inOrder = patched.all.filter((part) => selection.parts.has(part));
    const sections = new Map(inOrder.map((part) => [part, this.#define(part)]));
    const tables = [...Map.groupBy(selection.entries, (entry) => entry.part.section).values()].flatMap(
      (entries) => this.#layOutTable(entries.toSorted((a, b) => a.part.start - b.part.start)),
    );
    for (const [part, section] of sections) section.relocations = this.#relocations(part, part, false);
    for (const table of tables) this.#fillTable(table);
  }

  /** The symbol that stands for a carried function. */
  symbolOf(part: Part): ObjectSymbol {
    return this.#symbols.get(part)!; // the constructor defined every selected part
  }

  #sectionSymbolOf(part: Part): ObjectSymbol {
    const main = this.symbolOf(part);
    if (main.type === STT_SECTION || main.place.kind !== "section") return main;
    const { section } = main.place;
    const known = this.#sectionSymbols.get(section) ?? sectionSymbol(section);
    if (!this.#sectionSymbols.has(section)) this.object.symbols.push(known);
    this.#sectionSymbols.set(section, known);
    return known;
  }

  #define(part: Part): ObjectSection {
    const bytes = partBytes(part).slice();
    const { architecture } = this.#patched;
    for (const { offset, relocation } of this.#patched.references(part)) {
      // The module loader takes a field that is not zero for one that is relocated already.
      bytes.fill(0, offset, offset + (architecture.fieldSizeBytes(relocation.type) ?? 0));
    }
    const section = slice(part, bytes);
    section.sizeBytes = part.end - part.start;
    this.object.sections.push(section);
    const place = { kind: "section", section } as const;
    const named = part.symbols.map((symbol): ObjectSymbol => ({
      ...symbol,
      // Replacements are the patch's own; what is new may be what another unit of the patch calls.
      binding: this.#isNew(part) ? symbol.binding : STB_LOCAL,
      place,
      value: symbol.value - part.start,
    }));
    this.object.symbols.push(...named);
    const main = named.find(({ name }) => part.name === name) ?? sectionSymbol(section);
    if (main.type === STT_SECTION) this.object.symbols.push(main);
    this.#symbols.set(part, main);
    return section;
  }

  /** Makes room for the entries of one special section; calls whose key a live patch cannot reach have none. */
  #layOutTable(entries: readonly SpecialEntry[]): Table[] {
    for (const entry of entries) this.#checkAlternative(entry);
    const kept = entries.filter((entry) => this.#canReachKey(entry));
    const [first] = kept;
    if (first === undefined) return [];
    const entrySizeBytes = Math.max(...kept.map(({ part }) => part.end - part.start));
    const section = slice(first.part, new Uint8Array(kept.length * entrySizeBytes));
    const table: Table = { entries: kept, entrySizeBytes, section, symbol: sectionSymbol(section) };
    this.object.sections.push(section);
    this.object.symbols.push(table.symbol);
    this.#tables.set(first.part.section, table);
    const companions = kept.flatMap(({ companion }) => companion ?? []);
    if (companions[0] !== undefined) {
      const bytes = companions.flatMap((companion) => [...partBytes(companion)]);
      this.object.sections.push(slice(companions[0], Uint8Array.from(bytes)));
    }
    return [table];
  }

  #fillTable({ entries, entrySizeBytes, section }: Table): void {
    entries.forEach(({ part }, index) => {
      section.data.set(partBytes(part), index * entrySizeBytes);
      for (const relocation of this.#relocations(part, part, true)) {
        section.relocations.push({ ...relocation, offset: relocation.offset + index * entrySizeBytes });
      }
    });
  }

  /**
   * A static key or static call of a module is resolved only when that module is there, too late for the kernel's
   * rewriting of the site. A static call's site does not need it; a tracepoint or debug message may stay off, by a key
   * of the live patch's own; any other would go wrong. (Without its entry a site may be on: where objtool runs late, the
   * compiler leaves a jump that is to be a no-operation.)
   */
  #canReachKey({ table, part, owner }: SpecialEntry): boolean {
    if (table.keyOffset === undefined) return true;
    const reference = this.#patched.references(part).find(({ offset }) => offset === table.keyOffset);
    const name = reference && reference.target.kind !== "nowhere" ? this.#nameOf(part, reference) : undefined;
    const resolution = name && this.#target.resolve(name);
    if (resolution?.kind !== "livepatch" || resolution.object === "vmlinux") return true;
    // A call whose site is not listed goes through its trampoline, which always leads to what the key says
    // (__static_call_update() in kernel/static_call_inline.c).
    if (table.section === ".static_call_sites") return false;
    const where = owner === undefined ? table.section : describe(owner);
    const reason: Reason = {
      code: "unreachable-key",
      subject: where,
      message: `${where} is switched by ${name?.name ?? "a key"} of module ${resolution.object}, which a live patch cannot reach`,
    };
    if (/^__(tracepoint|SCK__tp_func)_|^__UNIQUE_ID_ddebug/.test(name?.name ?? "")) {
      this.warnings.push({
        ...reason,
        message: `${reason.message}: this tracepoint stays off in the replacement`,
      });
      this.#off.set(part, table.keyOffset);
      return true;
    }
    this.reasons.push({ ...reason, hint: "leave that static key out of the changed function" });
    return false;
  }

  #neverOn(): ObjectSymbol {
    if (this.#never !== undefined) return this.#never;
    const section: ObjectSection = {
      name: ".data.kgraft_never",
      type: SHT_PROGBITS,
      flags: SHF_ALLOC | SHF_WRITE,
      alignment: 8,
      entrySizeBytes: 0,
      data: new Uint8Array(STATIC_KEY_BYTES),
      sizeBytes: STATIC_KEY_BYTES,
      relocations: [],
      livepatchRelocations: [],
      linkedTo: undefined,
      grouped: false,
    };
    this.#never = {
      name: "kgraft_never",
      binding: STB_LOCAL,
      type: STT_OBJECT,
      other: 0,
      place: { kind: "section", section },
      value: 0,
      sizeBytes: STATIC_KEY_BYTES,
    };
    this.object.sections.push(section);
    this.object.symbols.push(this.#never);
    return this.#never;
  }

  /**
   * Alternatives are put in place when the live patch is loaded; what lies in a module is resolved when that module is
   * there, perhaps later. A field that both write would be written in the wrong order.
   */
  #checkAlternative({ table, part, owner }: SpecialEntry): void {
    if (table.section !== ".altinstructions" || owner === undefined) return;
    const [instruction, replacement] = this.#patched.references(part).map(({ target }) => target);
    const bytes = partBytes(part);
    const lengthBytes = bytes[bytes.length - 2] ?? 0; // struct alt_instr ends in instrlen, replacementlen
    const start = instruction?.kind === "part" ? instruction.offset : 0;
    const within = (from: Part, first: number, end: number): { from: Part; reference: Reference }[] =>
      this.#patched
        .references(from)
        .filter(({ offset }) => offset >= first && offset < end)
        .map((reference) => ({ from, reference }));
    const fields = [
      ...within(owner, start, start + lengthBytes),
      // What is replaced by nothing has its own place for a replacement: special.ts.
      ...(replacement?.kind === "part" && replacement.part !== owner
        ? within(replacement.part, 0, Infinity)
        : []),
    ];
    for (const { from, reference } of fields) {
      const bound = this.#bound(this.#selection.bind(from, reference, false), reference, false);
      const late = bound && this.livepatchReferences.get(bound.symbol);
      if (late === undefined || late.object === "vmlinux") continue;
      this.reasons.push({
        code: "relocation-in-alternative",
        subject: describe(owner),
        message: `${describe(owner)} reaches ${late.name} of module ${late.object} from an instruction that the kernel replaces at load`,
        hint: "reach it from a plain instruction: assign it to a local variable first",
      });
    }
  }

  #nameOf(part: Part, reference: Reference): { name: string; local: boolean } | undefined {
    const binding = this.#selection.bind(part, reference, true);
    if (binding.kind === "outside") return { name: binding.symbol.name, local: false };
    if (binding.kind === "original") return requestOf(binding.original);
    return undefined;
  }

  #relocations(part: Part, from: Part, fromEntry: boolean): ObjectRelocation[] {
    return this.#patched.references(part).flatMap((reference) => {
      const { type, addend } = reference.relocation;
      // The lowest two bits of the key's address say which way the branch goes (struct jump_entry).
      if (fromEntry && this.#off.get(part) === reference.offset)
        return [{ offset: reference.offset, type, symbol: this.#neverOn(), addend: addend & 3 }];
      const size = this.#patched.architecture.fieldSizeBytes(type);
      // No place of the kernel is farther than 2 GB from another.
      if (size === undefined || (size === 4 && Math.abs(addend) > 2 ** 31)) {
        this.reasons.push(unsupportedRelocation(part, from, reference));
      }
      const binding = this.#selection.bind(part, reference, fromEntry);
      if (binding.kind === "original") this.#checkLife(from, binding.original);
      const bound = this.#bound(binding, reference, fromEntry);
      return bound === undefined ? [] : [{ ...bound, offset: reference.offset, type }];
    });
  }

  /** The symbol that now stands for what the reference reaches, and the addend that reaches the same place from it. */
  #bound(
    binding: Binding,
    { relocation, target }: Reference,
    fromEntry: boolean,
  ): { symbol: ObjectSymbol; addend: number } | undefined {
    switch (binding.kind) {
      case "nowhere":
        return undefined;
      case "outside":
        return { symbol: this.#outsideSymbol(binding.symbol.name, false), addend: relocation.addend };
      case "carried": {
        // By section where the compiler did so, and in tables: objtool tells a place in a function from a call of it
        // by that.
        const bySection = fromEntry || relocation.symbol.type === STT_SECTION;
        const symbol = bySection ? this.#sectionSymbolOf(binding.part) : this.symbolOf(binding.part);
        return {
          symbol,
          addend: relocation.symbol.value + relocation.addend - binding.part.start - symbol.value,
        };
      }
      case "entry": {
        const table = this.#tables.get(binding.section);
        const index =
          table?.entries.findIndex(({ part }) => binding.offset >= part.start && binding.offset < part.end) ??
          -1;
        const entry = table?.entries[index];
        if (table === undefined || entry === undefined || target.kind !== "part") {
          this.reasons.push({
            code: "unresolved-reference",
            subject: binding.section.name,
            message: `an entry of ${binding.section.name} that a carried function uses belongs to code that stays behind`,
          });
          return undefined;
        }
        const place = target.part.start + target.offset;
        const distance = place - relocation.symbol.value - relocation.addend;
        return {
          symbol: table.symbol,
          addend: index * table.entrySizeBytes + (binding.offset - entry.part.start) - distance,
        };
      }
      case "original": {
        const { name, local } = requestOf(binding.original);
        const main = binding.part.symbols.find((symbol) => symbol.name === binding.part.name);
        const addend = relocation.symbol.value + relocation.addend - (main?.value ?? 0);
        return { symbol: this.#outsideSymbol(name, local), addend };
      }
    }
  }

  /** What a module throws away after it has started is no symbol of it any more. In vmlinux the name stays. */
  #checkLife(from: Part, original: Part): void {
    if (!isInit(original) || this.#target.object === "vmlinux") return;
    this.reasons.push({
      code: "reaches-init",
      subject: describe(from),
      message: `${describe(from)} reaches ${describe(original)}, which module ${this.#target.object} has thrown away once it runs (${original.section.name})`,
      hint: "do without it in the changed function",
    });
  }

  #outsideSymbol(name: string, local: boolean): ObjectSymbol {
    const key = `${local ? "local" : "global"} ${name}`;
    const known = this.#outside.get(key);
    if (known !== undefined) return known;
    const symbol = undefinedSymbol(name);
    this.#outside.set(key, symbol);
    this.object.symbols.push(symbol);
    this.#resolve(symbol, local);
    this.#offerKey(name);
    return symbol;
  }

  /**
   * A static call goes through `__SCT__name`, and the kernel finds the call's sites by `__SCK__name`. Where objtool runs
   * over the module it looks for that key's symbol, which code does not mention; without it the kernel takes the
   * trampoline for a key that it must know, and it knows the exported ones only.
   */
  #offerKey(name: string): void {
    if (!name.startsWith("__SCT__")) return;
    const key = name.replace("__SCT__", "__SCK__");
    const resolution = this.#target.resolve({ name: key, local: false });
    const isReachable =
      resolution.kind === "exported" || (resolution.kind === "livepatch" && resolution.object === "vmlinux");
    if (isReachable) this.#outsideSymbol(key, false);
  }

  #resolve(symbol: ObjectSymbol, local: boolean): void {
    const { name } = symbol;
    const resolution = this.#target.resolve({ name, local });
    switch (resolution.kind) {
      case "exported":
        return;
      case "livepatch": {
        const reference = { ...resolution, name, patchedObject: this.#target.object };
        // Two units may each have their own static of that name: apart until the livepatch core's names are given.
        // What all units call the same keeps its name, for objtool knows some (functions that never return).
        if (local || resolution.object !== "vmlinux")
          symbol.name = `${livepatchName(reference)} of ${reference.patchedObject}`;
        if (isNameable(reference)) this.livepatchReferences.set(symbol, reference);
        else
          this.reasons.push({
            code: "unknown-symbol",
            subject: name,
            message: `the kernel cannot parse the name of ${name} in ${resolution.object}`,
          });
        return;
      }
      case "missing":
        // Another unit of the same patch may define it; whoever joins the units looks again.
        if (!local) return;
        this.reasons.push({
          code: "unknown-symbol",
          subject: name,
          message: `${name} is not in the shipped ${this.#target.object}: ${resolution.why}`,
        });
        return;
      case "ambiguous":
        this.reasons.push({
          code: "ambiguous-symbol",
          subject: name,
          message: `${name} cannot be told apart in the shipped ${this.#target.object}: ${resolution.why}`,
        });
    }
  }
}

function unsupportedRelocation(part: Part, from: Part, { offset, relocation, target }: Reference): Reason {
  const place = `at offset 0x${offset.toString(16)} of ${describe(from)}`;
  const reason = { code: "unsupported-relocation", subject: describe(from) } as const;
  const { symbol, type, addend } = relocation;
  const to = target.kind === "part" ? describe(target.part) : symbol.name;
  if (Math.abs(addend) > 2 ** 31)
    return { ...reason, message: `relocation ${place} leads ${addend} bytes away from ${to}, out of range` };
  if (part.section.relocations.includes(relocation)) {
    return {
      ...reason,
      message: `relocation type ${type} ${place} is not one that the module loader knows`,
      hint: "compile the unit with the kernel's own options",
    };
  }
  return {
    ...reason,
    message: `the short jump ${place} leads to ${to} of the same section, farther than that once it is in a live patch`,
    hint: `change ${to} as well, so that the compiler jumps to it from afar or not at all`,
  };
}

function slice(part: Part, data: Uint8Array): ObjectSection {
  const { section, start } = part;
  return {
    ...section,
    name: sectionNameInModule(section),
    // A part keeps the alignment that its place had.
    alignment: start === 0 ? section.alignment : Math.min(section.alignment, start & -start),
    data,
    sizeBytes: data.length,
    relocations: [],
    livepatchRelocations: [],
    linkedTo: undefined,
  };
}
