import {
  type CheckReport,
  checkRepository,
  parseLifecyclePolicy,
  type Publication,
  publish,
  type PublishRequest,
} from "@kgraft/release";
import { buildCommand, type Command } from "@stricli/core";
import { answer, type Context, jsonFlag } from "../context.ts";
import { UsageError } from "../errors.ts";
import { count, table } from "../format.ts";
import { readInput } from "../input-file.ts";
import { parseCount, parseDayCount, parsePath, parseText, parseUrl } from "../parameters.ts";
import {
  channelFlag,
  keyFlag,
  openKeys,
  openStore,
  passphraseFlag,
  repositoryFlag,
  type RepositoryFlags,
  trustedKeys,
  type TrustFlags,
  trustFlag,
} from "../repository-flags.ts";
import { follow, publishTitles } from "../stages.ts";
import type { Style } from "../style.ts";

interface Flags extends RepositoryFlags, TrustFlags {
  readonly check: boolean;
  readonly retract?: string;
  readonly reason?: string;
  readonly origin?: string;
  readonly url?: string;
  readonly validDays?: number;
  readonly keepVersions?: number;
  readonly keepDays?: number;
  readonly lifecycle?: string;
  readonly onRequest?: boolean;
  readonly json: boolean;
}

async function run(this: Context, flags: Flags, ...packages: string[]): Promise<void> {
  const { key = [], check, json } = flags;
  if (check) return checkOnly(this, flags, packages);
  if (key.length === 0) throw new UsageError("option --key is missing", "kgraft key new makes one");
  await using signer = await openKeys({ ...flags, key }, this);
  const progress = follow(this.board, publishTitles);
  const request: PublishRequest = {
    store: openStore(flags.repository, this),
    channel: flags.channel,
    packages,
    signer,
    settings: { ...settingsOf(flags), ...(await lifecycleOf(flags, this.signal)) },
    ...retractOf(flags),
  };
  const publication = await publish(request, { onProgress: progress.onProgress, signal: this.signal });
  progress.done();
  answer(this, json, publication, () => publicationLines(publication, flags, this.style));
}

function settingsOf({
  origin,
  url,
  validDays,
  keepVersions,
  keepDays,
  onRequest,
}: Flags): NonNullable<PublishRequest["settings"]> {
  return {
    ...(origin !== undefined && { origin }),
    ...(url !== undefined && { url }),
    ...(validDays !== undefined && { validDays }),
    ...(keepVersions !== undefined && { keepVersions }),
    ...(keepDays !== undefined && { keepDays }),
    ...(onRequest !== undefined && { onRequest }),
  };
}

/** @throws FileUnreadable, BadLifecycleData */
async function lifecycleOf(
  { lifecycle: path }: Flags,
  signal: AbortSignal,
): Promise<Pick<NonNullable<PublishRequest["settings"]>, "lifecycle">> {
  if (path === undefined) return {};
  const bytes = await readInput(path, { hint: "docs/lifecycle.md tells what a policy is", signal });
  return { lifecycle: parseLifecyclePolicy(bytes.toString("utf8"), path) };
}

function retractOf({ retract, reason }: Flags): Pick<PublishRequest, "retract"> {
  if (retract === undefined && reason === undefined) return {};
  if (retract !== undefined && reason !== undefined) return { retract: { advisory: retract, reason } };
  throw new UsageError(
    `option --${retract === undefined ? "retract" : "reason"} is missing`,
    'such as --retract KGRAFT-6.1.0-55-cloud-amd64-3 --reason "oops under memory pressure"',
  );
}

function publicationLines(publication: Publication, flags: Flags, style: Style): readonly string[] {
  const { added, unchanged, removed, advisories, revision, validUntil, channel } = publication;
  const day = new Date(validUntil * 1000).toISOString().slice(0, 10);
  return [
    ...table(
      added.map(({ name, version, path }) => [`${style.green("+")} ${name}`, version, style.dim(path)]),
    ),
    ...table(
      removed.map(({ name, version, path }) => [`${style.yellow("-")} ${name}`, version, style.dim(path)]),
    ),
    ...unchanged.map((path) => style.dim(`= ${path} is there already`)),
    ...advisories.map((id) => `  advisory ${id}`),
    ...(publication.finishedAnother ? ["an interrupted publication was finished along the way"] : []),
    ...(flags.retract === undefined ? [] : pinLines(removed)),
    ...unaskedLines(publication),
    `${style.bold(`${flags.repository} ${channel}`)}: publication ${revision}, valid until ${day}`,
  ];
}

/** apt knows no retraction: a machine that has the version keeps it until it is told to go back. */
function pinLines(removed: Publication["removed"]): readonly string[] {
  const debs = removed.filter(({ format }) => format === "deb");
  if (debs.length === 0) return [];
  return [
    "apt has no retraction: to keep machines from it, or to take it back, put this into /etc/apt/preferences.d/kgraft:",
    ...debs.flatMap(({ name, version }) => [
      `  Package: ${name}`,
      `  Pin: version ${version}`,
      "  Pin-Priority: -1",
    ]),
    `  and type there: apt install --allow-downgrades ${debs[0]?.name ?? ""}=VERSION`,
  ];
}

/** Of dnf and apt, which know no program temporary fixes. */
function unaskedLines({ added, channel, onRequest }: Publication): readonly string[] {
  const names = new Set(added.map(({ name }) => name).filter((name) => /^ptf-\d+$/.test(name)));
  if (names.size === 0 || onRequest) return [];
  return [
    `warning: apt and dnf install ${[...names].join(", ")} unasked, as an update, on every machine that has channel ${channel}`,
    "  publish program temporary fixes into a channel of their own: --channel ptf --on-request",
  ];
}

async function checkOnly(context: Context, flags: Flags, packages: readonly string[]): Promise<void> {
  if (packages.length > 0)
    throw new UsageError("option --check takes no packages", "publish first, then check");
  const report = await checkRepository({
    store: openStore(flags.repository, context),
    channel: flags.channel,
    trusted: await trustedKeys(flags, context),
    signal: context.signal,
  });
  // 65, as bad input of any other kind.
  context.status = report.findings.length === 0 ? 0 : 65;
  answer(context, flags.json, report, () => checkLines(report, flags, context.style));
}

function checkLines(report: CheckReport, flags: Flags, style: Style): readonly string[] {
  const { findings, packages, channel } = report;
  if (findings.length > 0) {
    return findings.map(
      ({ file, message }) => `${style.red("✘")} ${message.includes(file) ? message : `${file}: ${message}`}`,
    );
  }
  return [
    `${style.green("✔")} ${flags.repository} ${channel}: signatures, dates, indexes and ${count(packages, "package")} are what they have to be`,
  ];
}

export const publishCommand: Command<Context> = buildCommand<Flags, string[], Context>({
  func: run,
  parameters: {
    flags: {
      repository: repositoryFlag,
      channel: channelFlag,
      key: { ...keyFlag, optional: true },
      passphraseFile: passphraseFlag,
      check: {
        kind: "boolean",
        brief: "Change nothing; say whether clients can trust what is there",
        default: false,
        withNegated: false,
      },
      trust: { ...trustFlag, brief: `With --check: ${trustFlag.brief}` },
      retract: {
        kind: "parsed",
        parse: parseText,
        brief: "Take this advisory's live patch back",
        placeholder: "ID",
        optional: true,
      },
      reason: {
        kind: "parsed",
        parse: parseText,
        brief: "Why, for --retract",
        placeholder: "TEXT",
        optional: true,
      },
      origin: {
        kind: "parsed",
        parse: parseText,
        brief: "Who publishes, for Release files and advisories; kept until said otherwise",
        placeholder: "NAME",
        optional: true,
      },
      url: {
        kind: "parsed",
        parse: parseUrl,
        brief: "Where machines find it, for the files that set them up; kept until said otherwise",
        placeholder: "URL",
        optional: true,
      },
      validDays: {
        kind: "parsed",
        parse: parseDayCount,
        brief: "How many days clients believe a publication; 14 at first, kept until said otherwise",
        placeholder: "N",
        optional: true,
      },
      keepVersions: {
        kind: "parsed",
        parse: parseCount,
        brief: "How many versions of a package stay listed, however old; 5 at first",
        placeholder: "N",
        optional: true,
      },
      keepDays: {
        kind: "parsed",
        parse: parseDayCount,
        brief: "How many days each version stays listed; 90 at first",
        placeholder: "N",
        optional: true,
      },
      lifecycle: {
        kind: "parsed",
        parse: parsePath,
        brief:
          "Policy: until when patches are made for a kernel; 12 months at first, kept until said otherwise",
        placeholder: "FILE.json",
        optional: true,
      },
      onRequest: {
        kind: "boolean",
        brief: "Machines take from it only what they are told to; kept until said otherwise",
        optional: true,
      },
      json: jsonFlag,
    },
    positional: {
      kind: "array",
      parameter: { brief: "A .deb or .rpm file", placeholder: "PACKAGE", parse: parsePath },
    },
  },
  docs: {
    brief: "Publish packages into a signed repository for apt, zypper and dnf",
    fullDescription: `Puts packages into a repository that apt, zypper and dnf read as their own, with its advisories,
and signs it. A client sees the old or the new, never a mixture; what is interrupted leaves the
old or the new, and the next publication finishes it. Without a package it is published again
with a new date: do that before it expires. With --url it holds what a machine needs to know it:
dists/CHANNEL/kgraft.sources for apt, rpm/CHANNEL/kgraft.repo for zypper and dnf. docs/publish.md
tells the whole way.

Examples:
  kgraft publish kgraft-patch*.deb --repository /srv/patches --key key.asc
  kgraft publish *.deb *.rpm --repository s3://patches --channel beta --key 0x4FB78E216E7A5482
  kgraft publish --repository /srv/patches --key key.asc --retract ID --reason "it deadlocks"
  kgraft publish --repository /srv/patches --check --trust /etc/apt/keyrings/kgraft.asc`,
  },
});
