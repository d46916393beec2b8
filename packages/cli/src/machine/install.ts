/** Installing Debian packages, as root or through sudo, without a question. */
import { spawn } from "node:child_process";
import { access, constants } from "node:fs/promises";
import { delimiter, join } from "node:path";
import type { Board } from "../board.ts";
import { count } from "../format.ts";
import { InstallFailed } from "../errors.ts";
import { installLine } from "./requirements.ts";

/** @throws InstallFailed with the end of what apt-get said */
export async function installPackages(
  packages: readonly string[],
  { board, signal }: { readonly board: Board; readonly signal: AbortSignal },
): Promise<void> {
  const asRoot = process.getuid?.() === 0 ? [] : await sudo(packages);
  board.write(`kgraft: installing with apt-get: ${packages.join(" ")}\n`, "stderr");
  const stage = board.stage(`Installing ${count(packages.length, "package")}`);
  try {
    const environment = ["env", "DEBIAN_FRONTEND=noninteractive"];
    for (const words of [
      ["apt-get", "-qq", "update"],
      ["apt-get", "-qq", "-y", "--no-install-recommends", "install", ...packages],
    ]) {
      await run([...asRoot, ...environment, ...words], packages, signal);
    }
    stage.done();
  } catch (error) {
    stage.drop();
    throw error;
  }
}

async function sudo(packages: readonly string[]): Promise<readonly string[]> {
  for (const directory of (process.env["PATH"] ?? "").split(delimiter)) {
    const program = join(directory, "sudo");
    if (
      await access(program, constants.X_OK).then(
        () => true,
        () => false,
      )
    ) {
      return [program];
    }
  }
  throw new InstallFailed(
    "cannot install packages: this user is not root and there is no sudo",
    `type as root: ${installLine(packages, true)}`,
  );
}

async function run(
  words: readonly string[],
  packages: readonly string[],
  signal: AbortSignal,
): Promise<void> {
  signal.throwIfAborted();
  let said = "";
  // sudo may have to ask who is there; apt-get itself asks nothing.
  const child = spawn(words[0]!, words.slice(1), { stdio: ["inherit", "pipe", "pipe"] });
  // Interrupted, not killed: apt-get then stops where the package database is whole.
  const stop = (): void => void child.kill("SIGINT");
  signal.addEventListener("abort", stop, { once: true });
  const keep = (data: Buffer): void => {
    said = (said + data.toString()).slice(-4096);
  };
  child.stdout.on("data", keep);
  child.stderr.on("data", keep);
  try {
    const status = await new Promise<number | null>((resolve, reject) => {
      child.once("error", reject);
      child.once("close", resolve);
    });
    signal.throwIfAborted();
    if (status === 0) return;
    throw new InstallFailed(
      `cannot install packages: ${words.slice(-1 - packages.length).join(" ")}: exit status is ${status ?? "a signal"}, wanted 0`,
      said.trim().split("\n").slice(-8).join("\n") || "it said nothing",
    );
  } finally {
    signal.removeEventListener("abort", stop);
  }
}
