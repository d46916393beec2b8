/** What a machine needs to take packages from a repository, to be copied as it stands. */

export interface SetupFacts {
  /** Where the repository is served. */
  readonly url: string;
  readonly channel: string;
  readonly origin: string;
  /** See `RepositorySettings`. zypper and dnf know no such thing of a repository: it is switched off until it is named. */
  readonly onRequest?: boolean;
}

/** The key that a machine trusts: in a file of its own, or there and then (apt 2.3.10 and later). */
export type AptKey = { readonly path: string } | { readonly armored: string };

/** For `/etc/apt/sources.list.d/NAME.sources`, sources.list(5). */
export function aptSetup(
  { url, channel }: SetupFacts,
  key: AptKey = { path: "/etc/apt/keyrings/kgraft.asc" },
): string {
  const signedBy =
    "path" in key
      ? ` ${key.path}`
      : `\n${key.armored.trimEnd().replaceAll(/^/gm, " ").replaceAll(/^ $/gm, " .")}`;
  return [
    "Types: deb",
    `URIs: ${url}`,
    `Suites: ${channel}`,
    "Components: main",
    `Signed-By:${signedBy}`,
    "",
  ].join("\n");
}

/**
 * For `/etc/yum.repos.d/NAME.repo` and `/etc/zypp/repos.d/NAME.repo`: the signature of the index is asked for, and that
 * of each package. zypper goes by the index alone where that is signed, unless `pkg_gpgcheck` says otherwise; dnf asks
 * for both, and passes over that line. Source: libzypp, zypp/RepoInfo.cc (pkgGpgCheckIsMandatory); dnf.conf(5).
 */
export function rpmSetup(
  { url, channel, origin, onRequest = false }: SetupFacts,
  key = `${url}/rpm/${channel}/repodata/repomd.xml.key`,
): string {
  return `${[
    `[kgraft-${channel}]`,
    `name=${origin}`,
    `baseurl=${url}/rpm/${channel}`,
    `enabled=${onRequest ? 0 : 1}`,
    "autorefresh=1",
    "repo_gpgcheck=1",
    "gpgcheck=1",
    "pkg_gpgcheck=1",
    `gpgkey=${key}`,
  ].join("\n")}\n`;
}
