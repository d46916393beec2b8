import * as z from "zod/mini";
import { type ManifestFix, manifestFixSchema } from "./manifest.ts";

/** One package that carries a live patch. */
export interface AdvisoryPackage {
  readonly format: "deb" | "rpm";
  readonly name: string;
  /** As the package manager compares it: `2-1`. */
  readonly version: string;
  readonly architecture: string;
  /** The file's name, without a folder. */
  readonly file: string;
}

/** How severe an advisory is, in SUSE's words; unspecified where no fix has a score. */
export type Severity = "critical" | "important" | "moderate" | "low" | "unspecified";

/** What is told about one published live patch; updateinfo.xml, OSV and OpenVEX are drawn from it. */
export interface Advisory {
  readonly schema: "kgraft-advisory/1";
  /** `KGRAFT-RELEASE-COUNTER`. */
  readonly id: string;
  /** The live patch, by its name in the kernel. */
  readonly patch: string;
  readonly kernel: {
    /** What `uname -r` prints on the only kernel that it is for. */
    readonly release: string;
    /** Version of the distribution's package, such as `6.1.192-1`. */
    readonly packageVersion: string;
    readonly architecture: "amd64" | "ppc64el";
  };
  readonly title: string;
  readonly type: "security" | "recommended";
  readonly severity: Severity;
  /** `stable`: install it; `retracted`: do not. */
  readonly status: "stable" | "retracted";
  /** Why it was retracted. */
  readonly reason?: string;
  /** The advisory whose cumulative patch takes this one's place. */
  readonly supersededBy?: string;
  /** When it was first published, as in `2026-11-25T02:00:00Z`. */
  readonly issued: string;
  readonly updated: string;
  readonly fixes: readonly ManifestFix[];
  readonly packages: readonly AdvisoryPackage[];
}

const text: z.ZodMiniType<string> = z.string().check(z.maxLength(4096));
const word: z.ZodMiniType<string> = z.string().check(z.regex(/^[A-Za-z0-9][A-Za-z0-9._+~:-]{0,199}$/));
const time: z.ZodMiniType<string> = z.string().check(z.regex(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/));

/** What a reader of an advisory accepts. */
export const advisorySchema: z.ZodMiniType<Advisory> = z.strictObject({
  schema: z.literal("kgraft-advisory/1"),
  id: word,
  patch: word,
  kernel: z.strictObject({
    release: word,
    packageVersion: text,
    architecture: z.enum(["amd64", "ppc64el"]),
  }),
  title: text,
  type: z.enum(["security", "recommended"]),
  severity: z.enum(["critical", "important", "moderate", "low", "unspecified"]),
  status: z.enum(["stable", "retracted"]),
  reason: z.exactOptional(text),
  supersededBy: z.exactOptional(word),
  issued: time,
  updated: time,
  fixes: z.array(manifestFixSchema),
  packages: z.array(
    z.strictObject({
      format: z.enum(["deb", "rpm"]),
      name: word,
      version: word,
      architecture: word,
      file: word,
    }),
  ),
});
