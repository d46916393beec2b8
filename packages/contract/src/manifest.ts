import * as z from "zod/mini";

/** One function that a live patch replaces. */
export interface ManifestFunction {
  /** `vmlinux`, or the name of the module that holds the function. */
  readonly object: string;
  readonly name: string;
  /** Which of several symbols of that name, counted from 1 in address order; 0 where the name is unique. */
  readonly sympos: number;
  /** Path of the unit's source file in the kernel tree, such as `fs/ext4/mballoc.c`. */
  readonly unit: string;
  readonly originalSizeBytes: number;
  readonly replacementSizeBytes: number;
}

/** Something that a live patch repairs. */
export interface ManifestFix {
  /** A CVE number, or whatever else names it and nothing else. */
  readonly id: string;
  readonly title: string;
  /** How severe it is by the Common Vulnerability Scoring System, where the author says so. */
  readonly cvss?: {
    /** Such as `CVSS:3.1/AV:L/AC:L/PR:L/UI:N/S:U/C:H/I:H/A:H`. */
    readonly vector: string;
    /** From 0 to 10. */
    readonly score: number;
  };
  /** What else the fault does, where the author says so: such a fix is in scope whatever its score. */
  readonly impact?: "stability" | "data-corruption";
}

/**
 * The manifest of a live patch, the `NAME.json` beside its `NAME.ko`: what it replaces, in which kernel, why,
 * and from what it was made.
 */
export interface Manifest {
  readonly schema: "kgraft-manifest/1";
  /** The live patch's name as the kernel shows it under /sys/kernel/livepatch (KBUILD_MODNAME). */
  readonly name: string;
  readonly kernel: {
    /** What `uname -r` prints on the only kernel this patch is for. */
    readonly release: string;
    /** Version of the distribution's package, such as `6.1.192-1`. */
    readonly packageVersion: string;
    readonly architecture: "amd64" | "ppc64el";
    /** GNU build id of the kernel image, in hex. */
    readonly buildId: string;
  };
  readonly module: { readonly file: string; readonly sha256: string; readonly sizeBytes: number };
  /** What the patch repairs, as far as its author said so. */
  readonly fixes: readonly ManifestFix[];
  /**
   * The distribution's kernel whose fixes are all in force with this patch, where there is such a one: the
   * effective kernel.
   */
  readonly effective?: { readonly release: string; readonly packageVersion: string };
  readonly functions: readonly ManifestFunction[];
  /** The source changes it was made from. */
  readonly sources: readonly { readonly file: string; readonly sha256: string }[];
  /** First line of the compiler's `--version`. */
  readonly compiler: string;
}

const text: z.ZodMiniType<string> = z.string().check(z.maxLength(4096));
const sha256: z.ZodMiniType<string> = z.string().check(z.regex(/^[0-9a-f]{64}$/));
const release: z.ZodMiniType<string> = z.string().check(z.regex(/^[A-Za-z0-9._+~-]{1,64}$/));
const cvss: z.ZodMiniType<NonNullable<ManifestFix["cvss"]>> = z.strictObject({
  vector: z.string().check(z.regex(/^CVSS:[34]\.[01](\/[A-Za-z]{1,3}:[A-Za-z]{1,2})+$/), z.maxLength(256)),
  score: z.number().check(z.minimum(0), z.maximum(10)),
});
/** One fix, as a manifest and an advisory carry it. */
export const manifestFixSchema: z.ZodMiniType<ManifestFix> = z.strictObject({
  id: text,
  title: text,
  cvss: z.exactOptional(cvss),
  impact: z.exactOptional(z.enum(["stability", "data-corruption"])),
});
const count: z.ZodMiniType<number> = z.int().check(z.minimum(0));

/** What a reader accepts: unknown fields are refused, so that a manifest of a later kind is not half understood. */
export const manifestSchema: z.ZodMiniType<Manifest> = z.strictObject({
  schema: z.literal("kgraft-manifest/1"),
  name: z.string().check(z.regex(/^[A-Za-z0-9_]{1,55}$/)),
  kernel: z.strictObject({
    release,
    packageVersion: text,
    architecture: z.enum(["amd64", "ppc64el"]),
    buildId: z.string().check(z.regex(/^[0-9a-f]{8,64}$/)),
  }),
  module: z.strictObject({ file: text, sha256, sizeBytes: count }),
  fixes: z.array(manifestFixSchema),
  effective: z.exactOptional(z.strictObject({ release, packageVersion: text })),
  functions: z.array(
    z.strictObject({
      object: z.string().check(z.regex(/^[A-Za-z0-9_]{1,55}$/)),
      name: z.string().check(z.minLength(1), z.maxLength(511)),
      sympos: count,
      unit: text,
      originalSizeBytes: count,
      replacementSizeBytes: count,
    }),
  ),
  sources: z.array(z.strictObject({ file: text, sha256 })),
  compiler: text,
});
