/** apt, zypper and dnf as machines have them, each in a root of its own: this machine's own are not touched. */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import { aptSetup } from "../src/mod.ts";

export interface Answer {
  readonly code: number;
  /** Both outputs. */
  readonly text: string;
}

export type Client = (...words: readonly string[]) => Promise<Answer>;

async function run(program: string, words: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Answer> {
  const result = await execa(program, words, {
    all: true,
    reject: false,
    stdin: "ignore",
    timeout: 120_000,
    env: { LC_ALL: "C", no_proxy: "127.0.0.1", ...env },
  });
  return { code: result.exitCode ?? 128, text: result.all };
}

/** apt-get and apt-cache: the first word is the program. */
export async function aptClient(
  root: string,
  url: string,
  armoredKey: string,
  channel = "stable",
): Promise<Client> {
  for (const folder of [
    "etc/apt/sources.list.d",
    "etc/apt/preferences.d",
    "etc/apt/apt.conf.d",
    "etc/apt/keyrings",
    "etc/apt/trusted.gpg.d",
    "var/lib/apt/lists/partial",
    "var/cache/apt/archives/partial",
    "var/lib/dpkg",
    "var/log/apt",
  ]) {
    await mkdir(join(root, folder), { recursive: true });
  }
  await writeFile(join(root, "var/lib/dpkg/status"), "");
  const key = join(root, "etc/apt/keyrings/kgraft.asc");
  await writeFile(key, armoredKey);
  const sources = aptSetup({ url, channel, origin: "kgraft" }, { path: key });
  await writeFile(join(root, "etc/apt/sources.list.d/kgraft.sources"), sources);
  // Named in the environment it is read first, so that nothing of this machine's own configuration is.
  const configuration = join(root, "apt.conf");
  await writeFile(
    configuration,
    [
      `Dir "${root}";`,
      `Dir::State::status "${root}/var/lib/dpkg/status";`,
      'Dir::Bin::methods "/usr/lib/apt/methods";',
      'APT::Architecture "amd64";',
      'APT::Architectures { "amd64"; };',
      'APT::Sandbox::User "root";',
      'Acquire::http::Proxy "DIRECT";',
      // A warning about one source would otherwise end with 0.
      'APT::Update::Error-Mode "any";',
      "",
    ].join("\n"),
  );
  return (program = "apt-get", ...words) => run(program, words, { APT_CONFIG: configuration });
}

/** Puts the repository's own .repo file into a folder, as it is published. */
async function fetchSetup(folder: string, url: string, channel: string): Promise<void> {
  const answer = await fetch(`${url}/rpm/${channel}/kgraft.repo`);
  if (!answer.ok) throw new Error(`cannot get ${answer.url}: status is ${answer.status}, wanted 200`);
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, "kgraft.repo"), await answer.text());
}

/** @param url where the repository is served, and was published as being served */
export async function zypperClient(root: string, url: string, channel = "stable"): Promise<Client> {
  await fetchSetup(join(root, "etc/zypp/repos.d"), url, channel);
  await mkdir(join(root, "var/lib/rpm"), { recursive: true });
  return (...words) => run("zypper", ["--root", root, "--non-interactive", ...words]);
}

/** @param url as of {@link zypperClient} */
export async function dnfClient(root: string, url: string, channel = "stable"): Promise<Client> {
  const repos = join(root, "etc/yum.repos.d");
  await fetchSetup(repos, url, channel);
  const options = [
    "--installroot",
    root,
    `--setopt=reposdir=${repos}`,
    `--setopt=cachedir=${root}/cache`,
    "--releasever=1",
    "-y",
  ];
  return (...words) => run("dnf", [...options, ...words]);
}
