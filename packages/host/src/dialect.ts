/**
 * Two names, two sets of words. `kgr` is kGraft's tool of SLE 12, `klp` its successor of SLE 15: the same commands,
 * but klp lists threads where kgr lists processes, and where there is nothing to list each says so in words of its
 * own. Scripts match those words, so they are kept to the letter.
 */
export interface Dialect {
  readonly program: "kgr" | "klp";
  /** What `blocking` lists. */
  readonly blocking: "processes" | "threads";
  /** What `-v blocking` says when it has none to list. */
  readonly nothingBlocks: string;
  /** What `-v patches` says of the patch that has nothing in it yet. */
  readonly initialPatch: string;
}

const kgr: Dialect = {
  program: "kgr",
  blocking: "processes",
  nothingBlocks: "no processes with kgr_in_progress set",
  initialPatch: "(none - this is an initial kGraft patch)",
};

const klp: Dialect = {
  program: "klp",
  blocking: "threads",
  nothingBlocks: "no threads with klp_in_progress set",
  initialPatch: "(none - this is an initial kernel live patch)",
};

/** The words for a program that was called by this name or path. */
export function dialectOf(calledAs: string): Dialect {
  return calledAs.slice(calledAs.lastIndexOf("/") + 1) === "klp" ? klp : kgr;
}
