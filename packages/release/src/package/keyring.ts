/**
 * All that a machine needs to take packages from a channel, as a package: where the channel is, and the keys that sign
 * it. It is published in that channel itself, so a new key reaches machines as an update, while the old one still signs.
 * zypper asks somebody about each key that rpm does not know, whatever gpgkey says, so the .rpm hands its keys to rpm, as
 * SUSE's own suse-build-key does: afterwards and in a unit of its own, for rpm takes no key in the middle of a transaction.
 * Debian's name for such packages. Its version is the time at which it was made.
 */
import { aptSetup, rpmSetup } from "../keys/setup-text.ts";
import type { ChannelTrust } from "../repository/trust.ts";
import type { PackageDescription, PackageFile, PackagedFile } from "./description.ts";
import type { PackageRequest } from "./live-patch.ts";
import type { Work } from "./run.ts";
import { writePackages } from "./write.ts";

export interface KeyringRequest extends PackageRequest {
  readonly trust: ChannelTrust;
}

/** @throws as makePackage */
export async function makeKeyring(request: KeyringRequest, work: Work): Promise<readonly PackageFile[]> {
  return writePackages(describe(request), request, work);
}

function describe({ trust, maintainer, dateSeconds }: KeyringRequest): PackageDescription {
  const base = trust.channel === "stable" ? "kgraft" : `kgraft-${trust.channel}`;
  const name = `${base}-archive-keyring`;
  const [version = "", revision = ""] = new Date(dateSeconds * 1000)
    .toISOString()
    .replaceAll(/[-:]|\..*/g, "")
    .split("T");
  return {
    names: { deb: name, rpm: name },
    version,
    revision,
    architecture: "all",
    section: "admin",
    summary: `where live patches of ${trust.origin} are, and their keys`,
    description: [
      `This package makes the channel ${trust.channel} of ${trust.url} known to the package manager, with the keys that sign it. A new key comes with an update of this package, before the old one stops signing.`,
    ],
    deb: {},
    rpm: [],
    files: filesOf(base, trust),
    links: [],
    folders: [],
    scriptlets: { deb: {}, rpm: { atEnd: importScriptlet(name, rpmKeyPath(base)) } },
    changelog: [
      {
        version: `${version}-${revision}`,
        changes: trust.fingerprints.map((one) => `Signed with ${one}`),
        maintainer,
        dateSeconds,
        isSecurity: false,
      },
    ],
    copyright: "Public keys and addresses, in the public domain.\n",
    license: "CC0-1.0",
    maintainer,
    dateSeconds,
  };
}

function rpmKeyPath(base: string): string {
  return `/etc/pki/rpm-gpg/RPM-GPG-KEY-${base}`;
}

function importScriptlet(name: string, keys: string): string {
  return [
    // Not where an image is built, in a chroot or a container.
    `if [ "\${SYSTEMD_OFFLINE-}" = 1 ] || [ ! -d /run/systemd/system ] ||`,
    `  ! systemd-run --quiet --collect rpmkeys --import ${keys}; then`,
    `  echo '${name}: rpm does not know its keys yet: rpmkeys --import ${keys}' >&2`,
    "fi",
    "",
  ].join("\n");
}

function filesOf(base: string, trust: ChannelTrust): readonly PackagedFile[] {
  const aptKeys = `/usr/share/keyrings/${base}-archive-keyring.asc`;
  const rpmKeys = rpmKeyPath(base);
  const repo = Buffer.from(rpmSetup(trust, `file://${rpmKeys}`));
  return [
    { path: aptKeys, source: Buffer.from(trust.aptKeys), only: "deb" },
    {
      path: `/etc/apt/sources.list.d/${base}.sources`,
      source: Buffer.from(aptSetup(trust, { path: aptKeys })),
      only: "deb",
    },
    { path: rpmKeys, source: Buffer.from(trust.rpmKeys), only: "rpm" },
    { path: `/etc/yum.repos.d/${base}.repo`, source: repo, only: "rpm" },
    { path: `/etc/zypp/repos.d/${base}.repo`, source: repo, only: "rpm" },
  ];
}
