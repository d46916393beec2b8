import { type FixScope, manifestOfFile, readAdvisories, scopeOf } from "@kgraft/release";
import type { Advisory, Manifest } from "@kgraft/contract";
import { buildCommand, type Command } from "@stricli/core";
import { answer, type Context, jsonFlag } from "../context.ts";
import { count, table } from "../format.ts";
import { parsePath, parseScore } from "../parameters.ts";
import {
  channelFlag,
  keyFlag,
  type KeyFlags,
  openKeys,
  openStore,
  passphraseFlag,
  repositoryFlag,
  type RepositoryFlags,
} from "../repository-flags.ts";
import type { Style } from "../style.ts";

interface CheckFlags {
  readonly threshold: number;
  readonly json: boolean;
}

interface Checked {
  readonly file: string;
  readonly name: string;
  readonly release: string;
  readonly fixes: readonly FixScope[];
}

async function runCheck(this: Context, { threshold, json }: CheckFlags, ...files: string[]): Promise<void> {
  const checked: Checked[] = [];
  for (const file of files) {
    const { name, kernel, fixes }: Manifest = await manifestOfFile(file, this.signal);
    checked.push({ file, name, release: kernel.release, fixes: scopeOf(fixes, { threshold }) });
  }
  const inScope = checked.every(({ fixes }) => fixes.some((fix) => fix.inScope));
  this.status = inScope ? 0 : 1;
  answer(this, json, { threshold, inScope, patches: checked }, () =>
    checked.flatMap((one) => scopeLines(one, this.style)),
  );
}

function scopeLines({ name, release, fixes }: Checked, style: Style): readonly string[] {
  const good = fixes.filter(({ inScope }) => inScope).length;
  return [
    `${style.bold(name)} for ${release}: ${fixes.length === 0 ? "it names no fix" : `${good} of ${count(fixes.length, "fix", "fixes")} in scope`}`,
    ...table(
      fixes.map(({ id, inScope, title, reason }) => [
        `  ${inScope ? style.green("✔") : style.yellow("✘")} ${id}`,
        reason,
        style.dim(title),
      ]),
    ),
  ];
}

interface ListFlags extends RepositoryFlags, KeyFlags {
  readonly json: boolean;
}

async function runList(this: Context, flags: ListFlags): Promise<void> {
  await using signer = await openKeys(flags, this);
  const advisories = await readAdvisories(
    openStore(flags.repository, this),
    flags.channel,
    signer,
    this.signal,
  );
  answer(this, flags.json, { channel: flags.channel, advisories }, () => listLines(advisories, this.style));
}

function listLines(advisories: readonly Advisory[], style: Style): readonly string[] {
  if (advisories.length === 0) return ["no advisory was published"];
  return table(
    advisories.map(({ id, severity, status, issued, title }) => [
      status === "retracted" ? style.red(id) : id,
      severity,
      status,
      issued.slice(0, 10),
      style.dim(title),
    ]),
  );
}

export const advisoryCheckCommand: Command<Context> = buildCommand<CheckFlags, string[], Context>({
  func: runCheck,
  parameters: {
    flags: {
      threshold: {
        kind: "parsed",
        parse: parseScore,
        brief: "Lowest CVSS score in scope; 7 if not given",
        placeholder: "SCORE",
        default: "7",
      },
      json: jsonFlag,
    },
    positional: {
      kind: "array",
      minimum: 1,
      parameter: {
        brief: "NAME.json of a live patch, or a package of one",
        placeholder: "FILE",
        parse: parsePath,
      },
    },
  },
  docs: {
    brief: "Say whether a fix is one that live patches are made for",
    fullDescription: `In scope are vulnerabilities of CVSS score 7 and above, and faults of stability or data corruption,
as SUSE Linux Enterprise Live Patching has it; the threshold is yours. Scores are computed anew
from the vectors.

Exit status of this command:
    0  each live patch has a fix in scope
    1  one has none

Examples:
  kgraft advisory check out/ext4_fix.json
  kgraft advisory check kgraft-patch-6.1.0-55-cloud-amd64_2-1_amd64.deb --threshold 8`,
  },
});

export const advisoryListCommand: Command<Context> = buildCommand<ListFlags, [], Context>({
  func: runList,
  parameters: {
    flags: {
      repository: repositoryFlag,
      channel: channelFlag,
      key: keyFlag,
      passphraseFile: passphraseFlag,
      json: jsonFlag,
    },
  },
  docs: {
    brief: "List the advisories of a repository",
    fullDescription: `Lists what was published, and what was taken back.

Examples:
  kgraft advisory list --repository /srv/patches --key key.asc`,
  },
});
