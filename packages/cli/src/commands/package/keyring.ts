import { makeKeyring, readTrust } from "@kgraft/release";
import { buildCommand, type Command } from "@stricli/core";
import { answer, type Context } from "../../context.ts";
import {
  channelFlag,
  keyFlag,
  openStore,
  passphraseFlag,
  repositoryFlag,
  type RepositoryFlags,
  trustedKeys,
  type TrustFlags,
  trustFlag,
} from "../../repository-flags.ts";
import { packageAliases, type PackageFlags, packageFlags, packageLines, packageRequest } from "./common.ts";

interface Flags extends PackageFlags, RepositoryFlags, TrustFlags {}

async function run(this: Context, flags: Flags): Promise<void> {
  const store = openStore(flags.repository, this);
  const trust = await readTrust(store, flags.channel, await trustedKeys(flags, this), this.signal);
  const stage = this.board.stage("Writing the packages");
  const files = await makeKeyring({ ...packageRequest(flags, process.env), trust }, this);
  stage.done(trust.fingerprints.join(", "));
  answer(this, flags.json, { files }, () => packageLines(files, this.style));
}

export const packageKeyringCommand: Command<Context> = buildCommand<Flags, [], Context>({
  func: run,
  parameters: {
    flags: {
      ...packageFlags,
      repository: repositoryFlag,
      channel: channelFlag,
      key: { ...keyFlag, optional: true },
      passphraseFile: passphraseFlag,
      trust: { ...trustFlag, brief: `F${trustFlag.brief.slice(1)}` },
    },
    aliases: packageAliases,
  },
  docs: {
    brief: "Package what machines need to take packages from a channel",
    fullDescription: `Writes kgraft-archive-keyring, a .deb and an .rpm with the address of a channel and the keys that
sign it. Publish it in that channel, and anew while a key is changed: the new key then reaches
machines as an update.

Examples:
  kgraft package keyring --repository /srv/patches --key key.asc -o packages`,
  },
});
