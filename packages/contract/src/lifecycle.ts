import * as z from "zod/mini";

/**
 * Until when live patches are made for each kernel release: what a publisher promises. Published as `lifecycle.json`
 * and, for zypper's lifecycle plugin and for kgr, as `kgraft.lifecycle`.
 */
export interface Lifecycle {
  readonly schema: "kgraft-lifecycle/1";
  /** By release. */
  readonly kernels: readonly KernelLifecycle[];
}

/** One kernel release. Days are in UTC, as YYYY-MM-DD. */
export interface KernelLifecycle {
  /** As `uname -r` prints it. */
  readonly release: string;
  /** Names of the packages of its live patches, as dpkg and as rpm have them. */
  readonly packages: readonly string[];
  /** Day on which the first live patch for it was published. */
  readonly since: string;
  /** Day with whose beginning the promise ends. */
  readonly until: string;
}

/** What a publisher promises, in a file that the publisher keeps. */
export interface LifecyclePolicy {
  readonly schema: "kgraft-lifecycle-policy/1";
  /** For how long live patches are made for a kernel release, from the day on which its first one was published. */
  readonly months: number;
  /** Days that were decided otherwise, by release; they hold even where an earlier one was promised. */
  readonly kernels?: Readonly<Record<string, string>>;
}

const day: z.ZodMiniType<string> = z.string().check(z.regex(/^\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])$/));
const release: z.ZodMiniType<string> = z.string().check(z.regex(/^[A-Za-z0-9][A-Za-z0-9._+~-]{0,63}$/));
const packageName: z.ZodMiniType<string> = z.string().check(z.regex(/^[A-Za-z0-9][A-Za-z0-9._+~-]{0,254}$/));

/** What a reader of `lifecycle.json` accepts. */
export const lifecycleSchema: z.ZodMiniType<Lifecycle> = z.strictObject({
  schema: z.literal("kgraft-lifecycle/1"),
  kernels: z
    .array(
      z.strictObject({
        release,
        packages: z.array(packageName).check(z.minLength(1), z.maxLength(8)),
        since: day,
        until: day,
      }),
    )
    .check(z.maxLength(100_000)),
});

/** What a reader of a policy accepts. */
export const lifecyclePolicySchema: z.ZodMiniType<LifecyclePolicy> = z.strictObject({
  schema: z.literal("kgraft-lifecycle-policy/1"),
  months: z.int().check(z.minimum(1), z.maximum(240)),
  kernels: z.exactOptional(z.record(release, day)),
});

/** One line of a `.lifecycle` file, in the format of zypper's lifecycle plugin: `name,version,date[,successor]`. */
export interface LifecycleLine {
  /** Name of a package, with `*` for anything, or a regular expression between slashes. */
  readonly name: string;
  /** Its version, with `*` for anything. */
  readonly version: string;
  /** Day with whose beginning the support ends; null where the line only names a successor. */
  readonly until: string | null;
  /** The package that takes its place: written as `name`, where `<1>` is what the first `*` or group stood for. */
  readonly successor: string | null;
}
