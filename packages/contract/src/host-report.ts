/** What `kgr --json` prints on the patched machine. One document per command, always one line. */

/** `kgr status --json` */
export interface StatusReport {
  readonly state: "ready" | "in_progress";
  /** Kernel release the machine runs, as `uname -r`. */
  readonly release: string;
  /** The live patch in transition and how many tasks have not moved yet; absent when ready. */
  readonly transition?: {
    readonly patch: string;
    readonly direction: "apply" | "revert";
    /** null where the user who asked may not see the tasks of others. */
    readonly tasksLeft: number | null;
  };
  readonly boot: {
    /**
     * What `kgr boot` does, were the machine started as it is now. `off`: kgr=off on the kernel command line;
     * `never`: by the policy; `none`: none is installed for this release; `held`: the crash guard speaks against it.
     */
    readonly plan: "load" | "off" | "never" | "none" | "held";
    /** The live patch that is loaded then. */
    readonly patch: string | null;
    /** Installed live patches that are not loaded by themselves: the machine went down with them. */
    readonly held: readonly InsertionReport[];
    /** Installed live patches that are not loaded because their files are not what they were. */
    readonly damaged: readonly string[];
    /** The last insertion, as long as the machine has not stayed up long enough after it. */
    readonly armed: InsertionReport | null;
  };
  /** Until when live patches are made for that release; null where no lifecycle data tells. */
  readonly coverage: {
    /** Day with whose beginning, in UTC, it ends. */
    readonly until: string;
    /** Days begun until then; 0 or less where it has ended. */
    readonly daysLeft: number;
  } | null;
}

/** One insertion of a live patch into the kernel. */
export interface InsertionReport {
  readonly patch: string;
  /** In UTC (RFC 3339). */
  readonly at: string;
}

/** `kgr boot --json` */
export interface BootReport {
  /**
   * `loaded`, and else why not: `in-force` already, `left` to the running system by the initramfs, `off`, `never` and
   * `none` as in the report of status. With --confirm `confirmed`, with --shutdown `shut-down`, or `none` there was.
   */
  readonly outcome: "loaded" | "in-force" | "left" | "off" | "never" | "none" | "confirmed" | "shut-down";
  readonly patch: string | null;
  /** Nothing was changed: so it would end. */
  readonly dryRun?: true;
}

/** `kgr install --json`, and likewise uninstall. */
export interface InstallReport {
  readonly action: "install" | "uninstall";
  readonly patch: string;
  /** The kernel release that it is for. */
  readonly release: string;
  /** Nothing was changed. */
  readonly dryRun?: true;
}

/** `kgr patches --json` */
export interface PatchesReport {
  readonly patches: readonly PatchReport[];
}

export interface PatchReport {
  readonly name: string;
  /** Whether its functions are in force: enabled in the kernel. */
  readonly active: boolean;
  readonly inTransition: boolean;
  /** Full name of the package it came in, or null where it came in none. */
  readonly package: string | null;
  /** Whether its manifest is at hand; without one nobody knows what it repairs, and both lists are empty. */
  readonly manifestKnown: boolean;
  readonly cves: readonly string[];
  /** What it repairs that has no CVE number. */
  readonly otherFixes: readonly string[];
  readonly functions: readonly { readonly object: string; readonly name: string; readonly sympos: number }[];
  /** The day until which live patches are made for the running kernel; null where no lifecycle data says so. */
  readonly expiration: string | null;
  /** A newer version of its package that the package manager knows of; null where it knows none. */
  readonly update: string | null;
}

/** `kgr load --json`, and likewise for the other commands that change something or wait. */
export interface TransitionReport {
  readonly action: "load" | "enable" | "disable" | "unload" | "downgrade" | "force" | "wait";
  /** The live patch that was acted upon; null for `wait`, and where there was none to force. */
  readonly patch: string | null;
  readonly state: "ready" | "in_progress";
  /** From the change to the end of the transition, as far as the command waited for it. */
  readonly waitedMs: number;
  /** null where the user who asked may not see the tasks of others. */
  readonly tasksLeft: number | null;
  /** Nothing was changed: all was checked, and this is how it stands. */
  readonly dryRun?: true;
}

/** `kgr blocking --json` */
export interface BlockingReport {
  readonly blocking: readonly BlockingTask[];
}

export interface BlockingTask {
  readonly pid: number;
  readonly tid: number;
  readonly name: string;
  readonly commandLine: readonly string[];
  /** Kernel stack, innermost first, as /proc/PID/task/TID/stack has it; empty where it cannot be read. */
  readonly stack: readonly string[];
  readonly kind: "process" | "kernel-thread";
  /** `sleeping`: a signal would wake it, if it is a process; `uninterruptible`: it would not. */
  readonly state: "running" | "sleeping" | "uninterruptible" | "stopped" | "frozen";
  /** How long ago it last ran; null where it runs or the kernel does not tell. */
  readonly asleepMs: number | null;
  /** The innermost function on its stack that the transition changes, and for which it blocks. */
  readonly function: string | null;
  /** The unit of systemd that it belongs to. */
  readonly unit: string | null;
}

/** `kgr poke --json` */
export interface PokeReport {
  /** Nobody was woken: it only tells who would be. */
  readonly dryRun: boolean;
  readonly poked: readonly { readonly pid: number; readonly command: string; readonly result: string }[];
}

/** `kgr fixes --json` */
export interface FixesReport {
  readonly fixes: readonly FixReport[];
}

/** A fix that is in force for every task of the machine. */
export interface FixReport {
  /** A CVE number, or whatever else names it. */
  readonly id: string;
  readonly title: string;
  /** null where the manifest does not say how severe it is. */
  readonly cvss: { readonly vector: string; readonly score: number } | null;
  /** The live patch that brings it. */
  readonly patch: string;
  /** Since when it has been in force here without a break, in UTC (RFC 3339); null where nobody noted it. */
  readonly since: string | null;
}

/** `kgr uname --json` */
export interface UnameReport {
  /** Kernel release the machine runs, as `uname -r`. */
  readonly running: string;
  /** The kernel whose fixes are all in force; null where no manifest in force names one. */
  readonly effective: {
    readonly release: string;
    /** Version of the distribution's package, such as `6.1.192-1`. */
    readonly packageVersion: string;
    /** The live patch that brings it there. */
    readonly patch: string;
  } | null;
}

/** `kgr metrics --json`: the families of the Prometheus exposition format. */
export interface MetricsReport {
  readonly metrics: readonly MetricFamily[];
}

export interface MetricFamily {
  readonly name: string;
  readonly help: string;
  readonly type: "gauge";
  readonly samples: readonly {
    readonly labels: Readonly<Record<string, string>>;
    readonly value: number;
  }[];
}

/** `kgr config --json` */
export interface ConfigReport {
  /** Where the administrator's settings stand. */
  readonly file: string;
  readonly settings: readonly {
    readonly key: string;
    /** As it would stand in the file. */
    readonly value: string;
    /** The line of the file that says so; null where it is the default. */
    readonly line: number | null;
  }[];
  /** What is wrong in the file, and changes nothing; line 0 is the file as a whole. */
  readonly problems: readonly { readonly line: number; readonly message: string }[];
}

/** `kgr verify --json` */
export interface VerifyReport {
  /** `proven` where all is, `wrong` where anything is, otherwise `unknown`. */
  readonly result: Proof;
  /** Kernel release the machine runs, as `uname -r`. */
  readonly release: string;
  /** What the kernel keeps from root too; null where it has no lockdown, or does not tell. */
  readonly lockdown: "none" | "integrity" | "confidentiality" | null;
  /** Each live patch in force or in transition. */
  readonly patches: readonly VerifiedPatch[];
}

/** `wrong`: something is not as it should be; `unknown`: that cannot be told on this machine. */
export type Proof = "proven" | "wrong" | "unknown";

export interface Finding {
  readonly result: Exclude<Proof, "proven">;
  readonly message: string;
}

export interface VerifiedPatch {
  readonly name: string;
  /** Of the patch and all its functions. */
  readonly result: Proof;
  /** Why the patch as a whole is not proven: where it comes from, whether its transition has ended. */
  readonly findings: readonly Finding[];
  /** Whether the kernel has verified the module's signature; `none` where its file has none. */
  readonly signature: "verified" | "unverified" | "none" | "unknown";
  /** The module that it was loaded from; null where that is not known or gone. */
  readonly file: string | null;
  readonly functions: readonly VerifiedFunction[];
}

export interface VerifiedFunction {
  readonly object: string;
  readonly name: string;
  readonly sympos: number;
  readonly result: Proof;
  /** Whether its object is in the kernel; a function of a module that is not loaded has nothing to be proven. */
  readonly loaded: boolean;
  /** Where it lies, in hex. */
  readonly address: string | null;
  /** The bytes in memory from there on, in hex. */
  readonly entry: string | null;
  /** What its entry calls, as ftrace and the kernel's symbols name it. */
  readonly calls: string | null;
  /** Why it is not proven. */
  readonly findings: readonly Finding[];
  /** Who else hooks it: probes, tracers, programs of bpf. They do not undo the redirection. */
  readonly otherUsers: readonly string[];
}

/** `kgr completion --json` */
export interface CompletionReport {
  readonly shell: "bash" | "zsh" | "fish";
  readonly script: string;
}

/**
 * When support ends: a day (YYYY-MM-DD, with whose beginning in UTC it ends), or `now` where it has ended or something
 * newer is there, `never`, or `unknown` where a product says that it will tell later.
 */
export type SupportEnd = string;

/** `kgr lifecycle --json` */
export interface LifecycleReport {
  /** Only what ends by this day was asked for; null for everything. */
  readonly before: string | null;
  /** Only what changed since then was asked for (RFC 3339); null for everything. */
  readonly since: string | null;
  readonly products: readonly LifecycleProduct[];
  /** Packages whose support ends at another time than their product's, or that were asked for by name. */
  readonly packages: readonly LifecyclePackage[];
  /** How many more packages are in question: their support ends with their product's, or an earlier report showed them. */
  readonly packagesNotListed: number;
  /** What was asked for by name and is not installed. */
  readonly notInstalled: readonly string[];
}

export interface LifecycleProduct {
  readonly name: string;
  /** Its name for people. */
  readonly summary: string;
  readonly kind: "base" | "module" | "extension" | "other";
  readonly end: SupportEnd;
  /** What it is a stage of, and which is supported for longer. */
  readonly codestream: { readonly name: string; readonly end: SupportEnd } | null;
  /** Where its vendor tells more; null where that is not known. */
  readonly url: string | null;
}

export interface LifecyclePackage {
  readonly name: string;
  readonly version: string;
  /** Versions that lifecycle data speaks of for this name, with `*` for anything; null where it does not. */
  readonly versions: string | null;
  readonly end: SupportEnd;
  readonly update: { readonly version: string; readonly end: SupportEnd } | null;
  /** The package that takes its place. */
  readonly successor: { readonly name: string; readonly version: string } | null;
  /** Where the vendor of its product tells more. */
  readonly url: string | null;
}
