/**
 * What the author of a change declares by linux/kgraft.h: callbacks, one pointer each in a section of its kind, and
 * states, as the kernel's own `struct klp_state`.
 */
import { type ObjectSection, type ObjectSymbol, sectionNamed } from "@kgraft/elf";
import type { StructLayout } from "@kgraft/kernel";
import { ChangeRefused, type UnitReason } from "../errors.ts";
import type { PatchedDelta } from "../unit.ts";

/** Members of `struct klp_callbacks`. */
const callbackKinds = ["pre_patch", "post_patch", "pre_unpatch", "post_unpatch"] as const;
export type CallbackKind = (typeof callbackKinds)[number];

/** Where a callback's function lies in its unit's delta. */
export interface Callback {
  readonly symbol: ObjectSymbol;
  readonly addend: number;
}

export interface State {
  readonly id: bigint;
  readonly version: number;
}

export function isCallbackSection({ name }: ObjectSection): boolean {
  return callbackKinds.some((kind) => name === `.kgraft.${kind}`);
}

/**
 * The callbacks of one object of the kernel, of all its units.
 *
 * @throws {ChangeRefused} when two units declare the same one
 */
export function callbacksOf(deltas: readonly PatchedDelta[]): Map<CallbackKind, Callback> {
  const callbacks = new Map<CallbackKind, Callback>();
  const reasons: UnitReason[] = [];
  for (const { unit, shippedObject, object } of deltas) {
    for (const kind of callbackKinds) {
      const [relocation, ...more] = sectionNamed(object, `.kgraft.${kind}`)?.relocations ?? [];
      if (relocation === undefined) continue;
      if (callbacks.has(kind) || more.length > 0) {
        reasons.push({
          code: "two-callbacks",
          unit,
          subject: shippedObject,
          message: `${unit} declares a ${kind.replace("_", "-")} callback of ${shippedObject}, which has one already`,
          hint: "an object has one of each kind: call the second from the first",
        });
      }
      callbacks.set(kind, relocation);
    }
  }
  if (reasons.length > 0) throw new ChangeRefused(reasons);
  return callbacks;
}

/**
 * The states of a live patch, each once.
 *
 * @throws {ChangeRefused} when one is declared with two versions, or with number zero
 */
export function statesOf(
  deltas: readonly PatchedDelta[],
  layouts: ReadonlyMap<string, StructLayout>,
): State[] {
  const states = new Map<bigint, number>();
  const reasons: UnitReason[] = [];
  for (const { unit, object } of deltas) {
    for (const { id, version } of declaredStates(object.sections, layouts)) {
      const known = states.get(id);
      if (id === 0n || (known !== undefined && known !== version)) {
        reasons.push({
          code: "bad-state",
          unit,
          subject: String(id),
          message:
            id === 0n
              ? `${unit} declares a state with the number 0, which ends the kernel's list`
              : `${unit} declares state ${id} with version ${version}, another unit with ${known}`,
          hint: "give each state one number and one version (KGRAFT_STATE)",
        });
      }
      states.set(id, version);
    }
  }
  if (reasons.length > 0) throw new ChangeRefused(reasons);
  return [...states].map(([id, version]) => ({ id, version })).toSorted((a, b) => (a.id < b.id ? -1 : 1));
}

function declaredStates(
  sections: PatchedDelta["object"]["sections"],
  layouts: ReadonlyMap<string, StructLayout>,
): State[] {
  const layout = layouts.get("klp_state");
  const [id, version] = ["id", "version"].map((name) => layout?.members.get(name));
  if (layout === undefined || id === undefined || version === undefined) return [];
  // Each declaration is a part of its own, in a section of its own.
  return sections
    .filter(({ name }) => name === ".kgraft.states")
    .flatMap(({ data }) => {
      const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
      return Array.from({ length: Math.floor(data.length / layout.sizeBytes) }, (_, index) => ({
        id: view.getBigUint64(index * layout.sizeBytes + id.offsetBits / 8, true),
        version: view.getUint32(index * layout.sizeBytes + version.offsetBits / 8, true),
      }));
    });
}
