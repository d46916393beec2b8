/** Completion in real shells, with the real binary, over a directory tree in place of /sys/kernel. */
import { execFile } from "node:child_process";
import { mkdir, writeFile } from "node:fs/promises";
import path from "node:path";
import { promisify } from "node:util";
import { beforeAll, describe, expect, test } from "vitest";
import { buildKgr } from "../build/mod.ts";
import { optionWords } from "../src/arguments.ts";
import { allCommands } from "../src/commands.ts";
import { livePatchFiles, makeMachine } from "./machine.ts";

let folder = "";

beforeAll(async () => {
  folder = path.dirname(await buildKgr({ signal: new AbortController().signal }));
});

/** Runs a script of a shell where lp_demo and lp_other are loaded, and lp_boot is installed. @returns what it printed */
async function run(shell: readonly string[], script: string): Promise<string> {
  const { root } = makeMachine({ ...livePatchFiles("lp_demo", 1, 0), ...livePatchFiles("lp_other", 1, 0) });
  const work = path.join(root, "work");
  await mkdir(path.join(work, "folder of modules"), { recursive: true });
  await writeFile(path.join(work, "lp demo.ko"), "");
  await writeFile(path.join(work, "notes.txt"), "");
  const store = "/usr/lib/modules/$(uname -r)/updates/kgraft";
  const outer = `mount --bind "$0" /sys/kernel && mkdir -p /usr/lib/modules &&
    mount -t tmpfs none /usr/lib/modules &&
    mkdir -p "${store}" && touch "${store}/lp_boot.ko" "${store}/lp_boot.json" && cd "$1" && shift && exec "$@"`;
  const args = ["-rm", "sh", "-c", outer, `${root}/sys/kernel`, work, ...shell, script];
  const env = { PATH: `${folder}:${process.env["PATH"]}`, HOME: work, TERM: "dumb", LC_ALL: "C.UTF-8" };
  const { stdout } = await promisify(execFile)("unshare", args, { env, timeout: 60_000 });
  return stdout;
}

async function bash(line: string): Promise<readonly string[]> {
  const words = line.split(" ").map((word) => `'${word}'`);
  const script = `source <(kgr completion bash)
    COMP_WORDS=(${words.join(" ")}); COMP_CWORD=${words.length - 1}
    compopt() { :; } # bash takes it in a completion of its own only
    _kgr; printf '%s\\n' "\${COMPREPLY[@]}"`;
  return lines(await run(["bash", "--norc", "-c"], script));
}

/** An interactive zsh, which writes down what it offers. */
const zshrc = `PS1=READY; autoload -Uz compinit; compinit -u -D; source <(kgr completion zsh)
compadd() {
  if (( ! \${@[(I)-[OAD]*]} )); then # else it only sorts out
    local -a offered; builtin compadd -O offered "$@"; print -rl -- $offered >>offered
  fi
  builtin compadd "$@"
}`;

/** Types the line and a tab into zsh. */
async function zsh(line: string): Promise<readonly string[]> {
  const script = `print -r -- ${quote(zshrc)} >.zshrc; : >offered; zmodload zsh/zpty
    ZDOTDIR=$PWD zpty -b t zsh -i; zpty -r -m t screen '*READY*'
    zpty -w -n t ${quote(line)}$'\\t'
    for i in {1..200}; do sleep 0.05; zpty -r -t t screen; [[ -s offered ]] && break; done
    sleep 0.2; cat offered; zpty -d t`;
  return lines(await run(["zsh", "-f", "-c"], script));
}

async function fish(line: string): Promise<readonly string[]> {
  const script = `kgr completion fish | source; complete -C ${quote(line)}`;
  return lines(await run(["fish", "--no-config", "-c"], script)).map((offer) => offer.split("\t")[0] ?? "");
}

function quote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

function lines(text: string): readonly string[] {
  return [...new Set(text.split("\n"))].filter((line) => line !== "").toSorted();
}

const cases: readonly (readonly [line: string, offers: readonly string[]])[] = [
  ["kgr stat", ["status"]],
  ["kgr -v un", ["uname", "uninstall", "unload"]],
  ["kgr unload ", ["lp_demo", "lp_other"]],
  ["kgr -v --json unload lp_d", ["lp_demo"]],
  ["kgr uninstall ", ["lp_boot"]],
  ["kgr completion ", ["bash", "fish", "zsh"]],
  ["kgr vex --format c", ["csaf"]],
  ["kgr wait --timeout 5 --tim", ["--timeout"]],
];

/** Each command and each option of it as its shell is asked for them, and what is to be offered. */
async function everything(): Promise<readonly (readonly [line: string, offers: readonly string[]])[]> {
  const general = ["--verbose", "-v", "--json", "--help", "-h", "--version"];
  const all = await allCommands();
  const rows = all.map(({ name, options }) => {
    return [`kgr ${name} -`, [...options.flatMap(optionWords), ...general].toSorted()] as const;
  });
  return [["kgr ", all.map(({ name }) => name).toSorted()], ["kgr -", general.toSorted()], ...rows];
}

describe.each([
  ["bash", bash],
  ["zsh", zsh],
  ["fish", fish],
] as const)("%s offers", (_, offersOf) => {
  test("every command, and every option of each", async () => {
    for (const [line, offers] of await everything()) {
      expect([line, ...(await offersOf(line))]).toEqual([line, ...offers]);
    }
  });
});

describe("kgr completion bash", () => {
  test.each(cases)("%s", async (line, offers) => {
    expect(await bash(line)).toEqual(offers);
  });
  test("load offers modules and folders", async () => {
    expect(await bash("kgr load ")).toEqual(["folder of modules", "lp demo.ko"]);
  });
  test("an option after which a file stands is not taken for the command", async () => {
    expect(await bash("kgr -o patches metr")).toEqual(["metrics"]);
    expect(await bash("kgr metrics -o no")).toEqual(["notes.txt"]);
  });
});

describe("kgr completion zsh", () => {
  test.each(cases)("%s", async (line, offers) => {
    expect(await zsh(line)).toEqual(offers);
  });
  test("load offers modules and folders", async () => {
    expect(await zsh("kgr load ")).toEqual(["folder\\ of\\ modules", "lp\\ demo.ko"]);
  });
});

describe("kgr completion fish", () => {
  test.each(cases)("%s", async (line, offers) => {
    expect(await fish(line)).toEqual(offers);
  });
});
