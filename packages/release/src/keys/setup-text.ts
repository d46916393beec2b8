/** What a machine needs to take packages from a repository, to be copied as it stands. */

export interface SetupFacts {
  /** Where the repository is served. */
  readonly url: string;
  readonly channel: string;
  readonly origin: string;
}

/** For `/etc/apt/sources.list.d/NAME.sources`, with the key beside it. */
export function aptSetup({ url, channel }: SetupFacts, keyPath = "/etc/apt/keyrings/kgraft.asc"): string {
  return `${["Types: deb", `URIs: ${url}`, `Suites: ${channel}`, "Components: main", `Signed-By: ${keyPath}`].join("\n")}\n`;
}

/** For `/etc/yum.repos.d/NAME.repo` and `/etc/zypp/repos.d/NAME.repo`. */
export function rpmSetup({ url, channel, origin }: SetupFacts): string {
  return `${[
    `[kgraft-${channel}]`,
    `name=${origin}`,
    `baseurl=${url}/rpm/${channel}`,
    "enabled=1",
    "autorefresh=1",
    "repo_gpgcheck=1",
    "gpgcheck=1",
    `gpgkey=${url}/rpm/${channel}/repodata/repomd.xml.key`,
  ].join("\n")}\n`;
}
