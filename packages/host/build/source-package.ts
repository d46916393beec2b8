/** Source packages of Debian, pinned by version and hash, fetched from the machine's own mirrors. */
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import path from "node:path";
import { DownloadFailed } from "./errors.ts";
import { debianMirrors } from "./mirrors.ts";
import { aptHelper } from "./requirements.ts";
import { runProgram } from "./run.ts";

export interface SourcePackage {
  /** Name of the source package, which is also what the file's name begins with. */
  readonly name: string;
  /** The upstream tarball in Debian's pool. */
  readonly file: string;
  readonly sha256: string;
}

export interface Work {
  readonly onProgress: (progress: {
    readonly stage: "download" | "compile" | "link";
    readonly message: string;
  }) => void;
  readonly signal: AbortSignal;
}

/**
 * Fetches the package's tarball and unpacks it into the folder, without the tarball's own top folder.
 *
 * @throws MirrorUnknown, DownloadFailed, CommandFailed, ToolMissing, or the signal's reason
 */
export async function unpackSource(source: SourcePackage, folder: string, work: Work): Promise<void> {
  await fetchTarball(source, folder, work);
  await runProgram("tar", ["-xf", source.file, "--strip-components=1"], { cwd: folder, signal: work.signal });
}

async function fetchTarball(
  { name, file, sha256 }: SourcePackage,
  folder: string,
  work: Work,
): Promise<void> {
  const options = { cwd: folder, signal: work.signal };
  const failures: string[] = [];
  for (const mirror of await debianMirrors()) {
    work.onProgress({ stage: "download", message: `${file}, source package ${name} of Debian trixie` });
    const address = `${mirror}/pool/main/${name.charAt(0)}/${name}/${file}`;
    const args = ["-o", "APT::Sandbox::User=root", "download-file", address, file];
    try {
      await runProgram(aptHelper, [...args, `SHA256:${sha256}`], options);
      const found = createHash("sha256")
        .update(await readFile(path.join(folder, file)))
        .digest("hex");
      if (found === sha256) {
        return;
      }
      failures.push(`${address}: sha256 is ${found}, wanted ${sha256}`);
    } catch (error) {
      work.signal.throwIfAborted();
      failures.push(error instanceof Error && "hint" in error ? String(error.hint) : String(error));
    }
  }
  throw new DownloadFailed(`cannot download ${file}: no mirror gave it`, failures.join("\n"));
}
