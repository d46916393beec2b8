/**
 * Code as a person reads it: instructions in Intel's syntax, with what relocations reach by name, and with labels for
 * jumps inside of the function, so that code that only moved reads the same.
 */
import type { ElfObject, ObjectRelocation, ObjectSection } from "@kgraft/elf";

/** Formats one machine's code. */
export type Disassembler = (code: Uint8Array, relocations: readonly NamedRelocation[]) => string[];

export interface NamedRelocation {
  /** Of the field, from the start of the code. */
  readonly offset: number;
  /** What the field reaches, as `printk`, `.rodata.str1.1+0x4` or `"text"`. */
  readonly target: string;
}

const EM_X86_64 = 62;

/** The disassembler of a machine; of one that is not known, bytes. */
export async function disassemblerOf(machine: number): Promise<Disassembler> {
  return machine === EM_X86_64 ? x86Disassembler() : hexDump;
}

/** The instructions of a section of an object. */
export function disassemble(section: ObjectSection, object: ElfObject, disassembler: Disassembler): string[] {
  const relocations = section.relocations.map((relocation) => ({
    offset: relocation.offset,
    target: targetOf(relocation, object),
  }));
  return disassembler(section.data, relocations);
}

function targetOf({ symbol, addend }: ObjectRelocation, object: ElfObject): string {
  const { place } = symbol;
  if (place.kind !== "section") return symbol.name.replace(/^\.klp\.sym\.[^.]*\.|,\d+$/g, "");
  const { section } = place;
  const at = symbol.value + addend;
  if (/^\.rodata.*\.str/.test(section.name)) return stringAt(section.data, at);
  const name = symbol.name === "" ? nameAt(object, section) : symbol.name;
  // A PC-relative field counts from its end, which is 4 bytes on in most instructions.
  const distance = symbol.name === "" ? at : addend;
  return distance === -4 || distance === 0
    ? name
    : `${name}${distance < 0 ? "-" : "+"}0x${Math.abs(distance).toString(16)}`;
}

/** The name of what begins a section, where it has one. */
function nameAt({ symbols }: ElfObject, section: ObjectSection): string {
  const main = symbols.find(
    ({ name, place, value }) =>
      name !== "" && value === 0 && place.kind === "section" && place.section === section,
  );
  return main?.name ?? section.name;
}

function stringAt(data: Uint8Array, at: number): string {
  // The field may count from its end.
  const start =
    [at, at + 4].find(
      (place) => place >= 0 && place < data.length && (place === 0 || data[place - 1] === 0),
    ) ?? at;
  const end = data.indexOf(0, Math.max(start, 0));
  const text = new TextDecoder().decode(data.subarray(Math.max(start, 0), end < 0 ? undefined : end));
  return JSON.stringify(text.length > 48 ? `${text.slice(0, 47)}…` : text);
}

async function x86Disassembler(): Promise<Disassembler> {
  const { Decoder, DecoderOptions, FlowControl, Formatter, FormatterSyntax, OpKind } =
    await import("iced-x86");
  return (code, relocations) => {
    const decoder = new Decoder(64, code, DecoderOptions.None);
    const formatter = new Formatter(FormatterSyntax.Intel);
    formatter.spaceAfterOperandSeparator = true;
    const byOffset = new Map(relocations.map(({ offset, target }) => [offset, target]));
    const read: { at: number; text: string; jump: number | undefined }[] = [];
    while (decoder.canDecode) {
      const instruction = decoder.decode();
      const at = Number(instruction.ip);
      const fields = Array.from({ length: instruction.length }, (_, index) => byOffset.get(at + index));
      const target = fields.find((field) => field !== undefined);
      const flow = instruction.flowControl;
      const isBranch = [
        FlowControl.UnconditionalBranch,
        FlowControl.ConditionalBranch,
        FlowControl.Call,
      ].includes(flow);
      // What a relocation fills is zero as yet, and is to be seen.
      formatter.showZeroDisplacements = target !== undefined;
      const text = formatter.format(instruction);
      const [mnemonic = "", ...operands] = text.split(" ");
      const isNear = instruction.op0Kind === OpKind.NearBranch64 && target === undefined;
      const jump = isNear ? Number(instruction.nearBranchTarget) : undefined;
      read.push({
        at,
        jump,
        text: target === undefined ? text : named(mnemonic, operands.join(" "), target, isBranch),
      });
      instruction.free();
    }
    formatter.free();
    decoder.free();
    return labelled(read);
  };
}

/** An instruction's text with the name in the place of what the relocation fills. */
function named(mnemonic: string, operands: string, target: string, isBranch: boolean): string {
  if (isBranch) return `${mnemonic} ${target}`;
  const memory = /\[(?:rip[^\]]*|[0-9a-fx]+h?)\]/i;
  if (memory.test(operands)) return `${mnemonic} ${operands.replace(memory, `[${target}]`)}`;
  const displacement = /([+-])[0-9a-f]+h?\]/i;
  if (displacement.test(operands)) return `${mnemonic} ${operands.replace(displacement, `+${target}]`)}`;
  return `${mnemonic} ${operands.replace(/[0-9a-f]+h?$/i, target)}`;
}

/** Lines with labels where jumps lead. */
function labelled(read: readonly { at: number; text: string; jump: number | undefined }[]): string[] {
  const places = new Set(read.map(({ at }) => at));
  const targets = [
    ...new Set(read.flatMap(({ jump }) => (jump !== undefined && places.has(jump) ? [jump] : []))),
  ];
  const labels = new Map(targets.toSorted((a, b) => a - b).map((at, index) => [at, `L${index + 1}`]));
  return read.flatMap(({ at, text, jump }) => {
    const label = labels.get(at);
    const to = jump === undefined ? undefined : labels.get(jump);
    const line = `  ${to === undefined ? text : `${text.split(" ")[0]} ${to}`}`;
    return label === undefined ? [line] : [`${label}:`, line];
  });
}

function hexDump(code: Uint8Array): string[] {
  return Array.from({ length: Math.ceil(code.length / 16) }, (_, row) => {
    const bytes = code.subarray(row * 16, row * 16 + 16);
    return `  ${(row * 16).toString(16).padStart(4, "0")}  ${[...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join(" ")}`;
  });
}
