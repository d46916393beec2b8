/** Everything that can go wrong with a distribution kernel, by name. `hint` says what the user should do. */
export class KernelError extends Error {
  readonly hint: string;

  constructor(name: string, message: string, hint: string, options?: ErrorOptions) {
    super(message, options);
    this.name = name;
    this.hint = hint;
  }
}

export class KernelNotPrepared extends KernelError {
  constructor(release: string, suite?: string) {
    super(
      "KernelNotPrepared",
      `open kernel ${release}: not prepared, wanted a fetched and prepared kernel`,
      `kgraft kernel fetch ${release}${suite === undefined ? "" : ` --suite ${suite}`}`,
    );
  }
}

export class UnknownRelease extends KernelError {
  readonly near: readonly string[];

  constructor(release: string, suite: string, found: string, near: readonly string[]) {
    super(
      "UnknownRelease",
      `find kernel ${release}: ${found} ${suite}, wanted a release that the mirror carries with its debug package`,
      near.length === 0 ? `no kernel of ${suite} has a name like it` : `near names: ${near.join(", ")}`,
    );
    this.near = near;
  }
}

export class VersionNotCarried extends KernelError {
  readonly carried: readonly string[];

  constructor(packageName: string, version: string, carried: readonly string[]) {
    super(
      "VersionNotCarried",
      `find ${packageName}: version ${version} is not carried, wanted ${carried.length === 0 ? "one that is" : `one of ${carried.join(", ")}`}`,
      carried.length === 0
        ? "the mirror carries no version of this package: name another suite"
        : `take one of these versions: ${carried.join(", ")}`,
    );
    this.carried = carried;
  }
}

export class BadRequest extends KernelError {
  constructor(what: string, found: string, wanted: string) {
    super("BadRequest", `read ${what}: found ${JSON.stringify(found)}, wanted ${wanted}`, `give ${wanted}`);
  }
}

export class MirrorUnknown extends KernelError {
  constructor(found: string, wanted: string) {
    super(
      "MirrorUnknown",
      `find a Debian mirror: ${found}, wanted ${wanted}`,
      "set KGRAFT_MIRROR to the address of a Debian mirror, such as http://HOST/debian",
    );
  }
}

export class IndexFailed extends KernelError {
  constructor(suite: string, detail: string, options?: ErrorOptions) {
    super(
      "IndexFailed",
      `update the package index of ${suite}: ${detail}`,
      "check the network and KGRAFT_MIRROR, then try again",
      options,
    );
  }
}

export class DownloadFailed extends KernelError {
  constructor(file: string, found: string, wanted: string, options?: ErrorOptions) {
    super(
      "DownloadFailed",
      `download ${file}: ${found}, wanted ${wanted}`,
      "try again: what has arrived is kept and the download goes on from there",
      options,
    );
  }
}

export class NoSpace extends KernelError {
  constructor(path: string, options: ErrorOptions & { readonly wantedBytes?: number } = {}) {
    const { wantedBytes } = options;
    const wanted = wantedBytes === undefined ? "some" : `${(wantedBytes / 1e9).toFixed(1)} GB`;
    super(
      "NoSpace",
      `write ${path}: no space left, wanted ${wanted}`,
      "free some space, or set KGRAFT_CACHE to a directory on a larger file system",
      options,
    );
  }
}

export class ToolMissing extends KernelError {
  constructor(tool: string, options?: ErrorOptions) {
    super(
      "ToolMissing",
      `run ${tool}: not found, wanted it on the PATH`,
      "kgraft doctor names the package to install",
      options,
    );
  }
}

export class CommandFailed extends KernelError {
  readonly output: string;

  constructor(action: string, code: number | string, output: string) {
    const last = output.trim().split("\n").slice(-5).join("\n");
    super("CommandFailed", `${action}: exit status ${code}, wanted 0`, last || "it printed nothing");
    this.output = output;
  }
}

export class CompilerMismatch extends KernelError {
  constructor(release: string, found: string, wanted: string, hint: string) {
    super("CompilerMismatch", `check the compiler of ${release}: found ${found}, wanted ${wanted}`, hint);
  }
}

export class UnitNotCompiled extends KernelError {
  constructor(unit: string, release: string) {
    super(
      "UnitNotCompiled",
      `compile ${unit}: not a unit of ${release}, wanted a C file that its configuration compiles`,
      "the kernel does not contain this file, so it needs no patch",
    );
  }
}

export class CompileFailed extends KernelError {
  /** What the compiler said, with paths relative to the tree. */
  readonly stderr: string;

  constructor(unit: string, code: number | string, stderr: string) {
    super("CompileFailed", `compile ${unit}: exit status ${code}, wanted 0`, stderr.trim());
    this.stderr = stderr;
  }
}

export class BadInput extends KernelError {
  constructor(action: string, found: string, wanted: string, options?: ErrorOptions) {
    super(
      "BadInput",
      `${action}: ${found}, wanted ${wanted}`,
      "the file is damaged or of another kind",
      options,
    );
  }
}

/** True for an errno of "no space left" anywhere in the chain of causes. */
export function isNoSpace(error: unknown): boolean {
  for (let at: unknown = error; at instanceof Error; at = at.cause) {
    const code = (at as NodeJS.ErrnoException).code;
    if (code === "ENOSPC" || code === "EDQUOT") return true;
  }
  return false;
}
