/** What differs between the processors of Debian's kernels, as a table. */
export type Architecture = "amd64" | "ppc64el";

interface ArchitectureFacts {
  /** kbuild's ARCH, and the folder under arch/. */
  readonly kbuild: "x86" | "powerpc";
  /** GNU triplet: prefix of the cross tools. */
  readonly triplet: string;
  /** Node's name for it. */
  readonly node: string;
}

export const architectures: Readonly<Record<Architecture, ArchitectureFacts>> = {
  amd64: { kbuild: "x86", triplet: "x86_64-linux-gnu", node: "x64" },
  ppc64el: { kbuild: "powerpc", triplet: "powerpc64le-linux-gnu", node: "ppc64" },
};

/** Prefix of the compiler and binutils for a kernel of that architecture on this machine. */
export function crossPrefix(architecture: Architecture): string {
  const facts = architectures[architecture];
  return process.arch === facts.node ? "" : `${facts.triplet}-`;
}
