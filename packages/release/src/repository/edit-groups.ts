/** The blocks of all indexes, after packages came and went and advisories changed. */
import type { Advisory } from "@kgraft/contract";
import { updateElement } from "../advisory/updateinfo.ts";
import { type Edit, editBlocks, filesOfText, type GroupKind, type Texts } from "./blocks.ts";
import { debKind, rpmKind, updateinfoKind } from "./entries.ts";
import type { Ledger, LedgerPackage } from "./ledger.ts";
import type { NewPackage } from "./new-packages.ts";

type Groups = Ledger["groups"];

export interface Change {
  readonly added: readonly NewPackage[];
  readonly removed: readonly LedgerPackage[];
  readonly advisories: readonly Advisory[];
  readonly origin: string;
}

export async function editGroups(before: Groups, change: Change, texts: Texts): Promise<Groups> {
  const { added, removed, advisories, origin } = change;
  const groups: Record<string, Groups[string]> = { ...before };
  const gone = new Set(removed.map(({ path }) => path));
  const names = new Set([...added.map(({ record }) => record), ...removed].map(groupOf));
  for (const name of names) {
    const edit: Edit = {
      remove: gone,
      add: added
        .filter(({ record }) => groupOf(record) === name && !gone.has(record.path))
        .map(({ entry }) => entry),
    };
    groups[name] = await editBlocks(before[name] ?? [], edit, kindOf(name), texts);
  }
  if (advisories.length > 0) {
    const edit: Edit = {
      remove: new Set(advisories.map(({ id }) => id)),
      add: advisories
        .filter(({ packages }) => packages.some(({ format }) => format === "rpm"))
        .map((advisory) => ({ member: advisory.id, texts: { updateinfo: updateElement(advisory, origin) } })),
    };
    groups["updateinfo"] = await editBlocks(before["updateinfo"] ?? [], edit, updateinfoKind, texts);
  }
  return groups;
}

function groupOf({ format, architecture }: LedgerPackage): string {
  return format === "deb" ? `deb-${architecture}` : "rpm";
}

function kindOf(group: string): GroupKind {
  if (group === "updateinfo") return updateinfoKind;
  return group === "rpm" ? rpmKind : debKind;
}

/** Files of texts that were in use before and are not any more. */
export function removedTexts(before: Groups, after: Groups, folder: string): readonly string[] {
  const used = new Set(
    Object.values(after).flatMap((blocks) => blocks.flatMap(({ parts }) => Object.values(parts))),
  );
  return Object.entries(before).flatMap(([name, blocks]) =>
    blocks
      .flatMap(({ parts }) => Object.values(parts))
      .filter((hash) => !used.has(hash))
      .flatMap((hash) => filesOfText(folder, hash, kindOf(name).compression)),
  );
}
