/**
 * What an administrator lets `kgr` do: which modules may be loaded, into which kernels, and what becomes of a
 * transition that does not end. Commands get a policy as a value; where it comes from is not their business.
 */
export interface Policy {
  /** A module without a manifest beside it: nothing will tell what it repairs. */
  readonly unknownModule: "warn" | "refuse";
  /** A module without a signature, or with one that the kernel cannot verify. */
  readonly unsignedModule: "allow" | "warn" | "refuse";
  /** Taint letters, as in /proc/modules and `dmesg`, on whose presence nothing is loaded; "" for none. */
  readonly refusedTaints: string;
  /** A kprobe inside a function that the patch replaces: it would fall silent. */
  readonly probedFunction: "warn" | "refuse";
  /** How long a command that changes something waits for its transition; a command's --timeout goes first. */
  readonly transitionTimeoutMs: number;
  /** What then: tell and leave it going, go on waiting without limit, or reverse the transition. */
  readonly onTimeout: "report" | "wait" | "reverse";
  /** Whether tasks that sleep in a patched function are woken as soon as that is seen. */
  readonly nudge: boolean;
  /** How long "device or resource busy" of the kernel is retried. */
  readonly busyTimeoutMs: number;
  /**
   * The installed live patch at boot: `auto` loads it, unless the machine went down the last time it was; `always`
   * loads it even then.
   */
  readonly livepatchKernel: "auto" | "always" | "never";
  /** How long the machine must stay up after a patch was put into force, until that patch counts as good. */
  readonly crashGuardMs: number;
}

/** What is in force where nothing is configured. */
export const defaultPolicy: Policy = {
  unknownModule: "warn",
  // The kernel's own rule decides: sig_enforce, lockdown.
  unsignedModule: "allow",
  // Memory or locks may be damaged: B bad page, D oops, M machine check.
  refusedTaints: "BDM",
  probedFunction: "refuse",
  // A transition is expected to end within this time; SUSE's tools wait as long.
  transitionTimeoutMs: 61_000,
  onTimeout: "report",
  nudge: true,
  busyTimeoutMs: 10_000,
  livepatchKernel: "auto",
  // A patch that fails does so when its functions are first called, most of them within the first minute.
  crashGuardMs: 60_000,
};
