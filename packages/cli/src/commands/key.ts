import {
  aptSetup,
  exportPublicKeys,
  makeKey,
  openSigner,
  type Publication,
  publish,
  type PublicKey,
  rpmSetup,
} from "@kgraft/release";
import { buildCommand, type Command } from "@stricli/core";
import { answer, type Context, jsonFlag } from "../context.ts";
import { UsageError } from "../errors.ts";
import { table } from "../format.ts";
import { parsePath, parseText } from "../parameters.ts";
import {
  channelFlag,
  keyFlag,
  type KeyFlags,
  openKeys,
  openStore,
  passphraseFlag,
  readPassphrase,
  repositoryFlag,
  type RepositoryFlags,
} from "../repository-flags.ts";

interface NewFlags {
  readonly name: string;
  readonly output?: string;
  readonly agent: boolean;
  readonly passphraseFile?: string;
  readonly noPassphrase: boolean;
  readonly json: boolean;
}

async function runNew(this: Context, flags: NewFlags): Promise<void> {
  const { name, output, agent, noPassphrase, json } = flags;
  if ((output !== undefined) === agent) {
    throw new UsageError(
      "a key goes into a file or into an agent: found neither or both",
      "add --output FILE, or --agent for your own GnuPG home",
    );
  }
  const passphrase = noPassphrase ? "" : await readPassphrase(flags.passphraseFile, this);
  if (passphrase === undefined && output !== undefined) {
    throw new UsageError(
      "a key in a file wants a passphrase",
      "set KGRAFT_KEY_PASSPHRASE, name a file with --passphrase-file, or say --no-passphrase",
    );
  }
  const stage = this.board.stage("Making a key");
  const key = await makeKey({
    userId: name,
    passphrase,
    ...(output !== undefined && { path: output }),
    signal: this.signal,
  });
  stage.done();
  answer(this, json, { key, file: output ?? null }, () => [
    ...keyLines([key]),
    ...(output === undefined ? [] : [`the secret key is in ${output}: keep a copy where nothing else is`]),
  ]);
}

interface ShowFlags extends KeyFlags {
  readonly armor: boolean;
  readonly url?: string;
  readonly channel: string;
  readonly json: boolean;
}

async function runShow(this: Context, flags: ShowFlags): Promise<void> {
  await using signer = await openSigner({
    keys: flags.key,
    passphrase: (await readPassphrase(flags.passphraseFile, this)) ?? "",
    signal: this.signal,
  });
  const armored = await exportPublicKeys(signer, this.signal);
  const { url, channel } = flags;
  answer(this, flags.json, { keys: signer.keys, armored }, () => {
    if (flags.armor) return armored.map((one) => one.trimEnd());
    const setup =
      url === undefined ? [] : setupLines(url.replace(/\/+$/, ""), channel, signer.keys[0]?.userId ?? "");
    return [...keyLines(signer.keys), ...setup];
  });
}

function setupLines(url: string, channel: string, origin: string): readonly string[] {
  const facts = { url, channel, origin: origin.replace(/ <.*/, "") };
  return [
    "",
    `/etc/apt/sources.list.d/kgraft.sources, with ${url}/dists/${channel}/kgraft.asc in /etc/apt/keyrings/kgraft.asc:`,
    "",
    aptSetup(facts),
    "/etc/zypp/repos.d/kgraft.repo or /etc/yum.repos.d/kgraft.repo:",
    "",
    rpmSetup(facts).trimEnd(),
  ];
}

interface RotateFlags extends KeyFlags, RepositoryFlags {
  readonly finish: boolean;
  readonly json: boolean;
}

async function runRotate(this: Context, flags: RotateFlags): Promise<void> {
  await using signer = await openKeys(flags, this);
  const publication: Publication = await publish(
    {
      store: openStore(flags.repository, this),
      channel: flags.channel,
      packages: [],
      signer,
      rotation: flags.finish ? "finish" : "begin",
    },
    { signal: this.signal },
  );
  answer(this, flags.json, { ...publication, keys: signer.keys }, () => [
    ...keyLines(signer.keys),
    flags.finish
      ? `${flags.repository} ${flags.channel} is signed with ${signer.keys.length === 1 ? "this key" : "these keys"} alone`
      : `${flags.repository} ${flags.channel} is signed with all of them, until: kgraft key rotate --finish`,
  ]);
}

function keyLines(keys: readonly PublicKey[]): readonly string[] {
  return table(
    keys.map(({ fingerprint, userId, created, expires }) => [
      fingerprint,
      userId,
      `made ${day(created)}`,
      expires === undefined ? "" : `ends ${day(expires)}`,
    ]),
  );
}

function day(seconds: number): string {
  return new Date(seconds * 1000).toISOString().slice(0, 10);
}

export const keyNewCommand: Command<Context> = buildCommand<NewFlags, [], Context>({
  func: runNew,
  parameters: {
    flags: {
      name: {
        kind: "parsed",
        parse: parseText,
        brief: "Whose key it is: NAME <ADDRESS>",
        placeholder: "NAME",
      },
      output: {
        kind: "parsed",
        parse: parsePath,
        brief: "Write the secret key into this file",
        placeholder: "FILE",
        optional: true,
      },
      agent: {
        kind: "boolean",
        brief: "Leave it in your own GnuPG home, with your agent",
        default: false,
        withNegated: false,
      },
      passphraseFile: passphraseFlag,
      noPassphrase: {
        kind: "boolean",
        brief: "Let the file be all that it takes to sign",
        default: false,
        withNegated: false,
      },
      json: jsonFlag,
    },
    aliases: { o: "output" },
  },
  docs: {
    brief: "Make a key for signing repositories",
    fullDescription: `Makes an RSA key of 4096 bits, which every apt, zypper and dnf in use can check, for signing alone.

Examples:
  KGRAFT_KEY_PASSPHRASE=... kgraft key new --name "Example <patches@example.org>" -o key.asc
  kgraft key new --name "Example <patches@example.org>" --agent`,
  },
});

export const keyShowCommand: Command<Context> = buildCommand<ShowFlags, [], Context>({
  func: runShow,
  parameters: {
    flags: {
      key: keyFlag,
      passphraseFile: passphraseFlag,
      armor: {
        kind: "boolean",
        brief: "Print the public key itself",
        default: false,
        withNegated: false,
      },
      url: {
        kind: "parsed",
        parse: parseText,
        brief: "Where the repository is served: print what machines need for it",
        placeholder: "URL",
        optional: true,
      },
      channel: channelFlag,
      json: jsonFlag,
    },
  },
  docs: {
    brief: "Show a key, and what machines need to trust it",
    fullDescription: `Shows a key's fingerprint and dates, its public part (--armor), or the .sources and .repo files of
a machine that is to take packages from a repository (--url).

Examples:
  kgraft key show --key key.asc
  kgraft key show --key key.asc --armor > kgraft.asc
  kgraft key show --key key.asc --url https://patches.example.org`,
  },
});

export const keyRotateCommand: Command<Context> = buildCommand<RotateFlags, [], Context>({
  func: runRotate,
  parameters: {
    flags: {
      repository: repositoryFlag,
      channel: channelFlag,
      key: keyFlag,
      passphraseFile: passphraseFlag,
      finish: {
        kind: "boolean",
        brief: "End the overlap: only the named keys sign from now on",
        default: false,
        withNegated: false,
      },
      json: jsonFlag,
    },
  },
  docs: {
    brief: "Change the key of a repository, with an overlap that machines survive",
    fullDescription: `First all is signed with the old and the new key; machines go on with the old one, and learn the new
one in that time. Then, with --finish, the old key stops signing. docs/publish.md tells what
machines do in between.

Examples:
  kgraft key rotate --repository /srv/patches --key old.asc --key new.asc
  kgraft key rotate --repository /srv/patches --key new.asc --finish`,
  },
});
