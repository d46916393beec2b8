/**
 * A GnuPG home of our own, with its agent, for keys that are in it for a moment.
 *
 * gpg would start an agent by itself where it misses one, and nobody ends that one for sure: a gpg that is interrupted
 * leaves one behind that is just starting, and that finds its home gone. So the agent is started here, and lives as long
 * as a program that it is given to watch, which ends with its input, however this process ends. That program takes the
 * home along: a publisher that is killed leaves no secret key behind.
 */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { KeySigningFailed } from "../repository/errors.ts";

export interface GnupgHome extends AsyncDisposable {
  readonly path: string;
}

/** @param options of the agent, as in gpg-agent.conf @throws KeySigningFailed where no agent starts */
export async function openHome(options: readonly string[] = []): Promise<GnupgHome> {
  const path = await mkdtemp(join(tmpdir(), "kgraft-keys-"));
  await writeFile(join(path, "gpg-agent.conf"), ["disable-scdaemon", ...options, ""].join("\n"));
  const lastOut = `trap '' INT TERM HUP; cat; rm -rf -- "$1"`;
  const words = ["--homedir", path, "--quiet", "--daemon", "sh", "-c", lastOut, "sh", path];
  const watched = execa("gpg-agent", words, {
    stdio: ["pipe", "pipe", "pipe"],
    buffer: { stdout: false, stderr: true },
    reject: false,
    detached: true, // not hit by what is meant for the whole group of this process
  });
  const remove = (): Promise<void> => rm(path, { recursive: true, force: true });
  // It answers when the agent has its sockets.
  const ready = new Promise<void>((resolve) => watched.stdout.once("data", () => resolve()));
  watched.stdin.on("error", () => {}); // of an agent that did not start; told below
  watched.stdin.write("\n");
  const ended = await Promise.race([ready, watched]);
  if (ended !== undefined) {
    await remove();
    throw new KeySigningFailed(
      `cannot start gpg-agent: ${ended.stderr.split("\n").at(-1) || (ended.code ?? "it ended")}`,
      "see that GnuPG is installed: kgraft doctor",
    );
  }
  return {
    path,
    async [Symbol.asyncDispose]() {
      await execa("gpgconf", ["--homedir", path, "--kill", "all"], { reject: false });
      watched.stdin.end();
      await watched;
      await remove();
    },
  };
}
