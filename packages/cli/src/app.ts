/**
 * The command from its words to its exit status. @stricli/core finds the command and reads its options; whatever
 * goes wrong, there or in a room, ends up here as a value, and is told in one way.
 */
import {
  type Application,
  type ApplicationText,
  ArgumentScannerError,
  buildApplication,
  buildRouteMap,
  type Command,
  formatMessageForArgumentScannerError,
  type RouteMap,
  run,
  text_en,
} from "@stricli/core";
import packageJson from "../package.json" with { type: "json" };
import { makeBoard, type Stream } from "./board.ts";
import { errorDocument, errorLines } from "./complaint.ts";
import type { Context } from "./context.ts";
import { UsageError } from "./errors.ts";
import { exitCodeLines, exitCodeOf } from "./exit-codes.ts";
import { makeStyle, wantsColor } from "./style.ts";

export interface Io {
  readonly stdout: Stream;
  readonly stderr: Stream;
  readonly env: NodeJS.ProcessEnv;
  readonly signal: AbortSignal;
}

/** Commands by their words. Each is loaded with the rooms that it needs, so only the one that is named is. */
const commands: Readonly<Record<string, CommandLoader | Group>> = {
  kernel: {
    brief: "Fetch and list distribution kernels",
    commands: {
      check: async () => (await import("./commands/kernel-check.ts")).kernelCheckCommand,
      fetch: async () => (await import("./commands/kernel-fetch.ts")).kernelFetchCommand,
      list: async () => (await import("./commands/kernel-list.ts")).kernelListCommand,
    },
  },
  diff: async () => (await import("./commands/diff.ts")).diffCommand,
  build: async () => (await import("./commands/build.ts")).kgraftBuildCommand,
  plan: async () => (await import("./commands/plan.ts")).planCommand,
  delta: async () => (await import("./commands/delta.ts")).deltaCommand,
  lab: {
    brief: "Boot kernels in QEMU and run commands in them",
    commands: { run: async () => (await import("./commands/lab-run.ts")).labRunCommand },
  },
  package: {
    brief: "Make packages, .deb and .rpm, of live patches and of kgr",
    commands: {
      initial: async () => (await import("./commands/package/initial.ts")).packageInitialCommand,
      kgr: async () => (await import("./commands/package/kgr.ts")).packageKgrCommand,
      keyring: async () => (await import("./commands/package/keyring.ts")).packageKeyringCommand,
      patch: async () => (await import("./commands/package/patch.ts")).packagePatchCommand,
      lifecycle: async () => (await import("./commands/package/lifecycle.ts")).packageLifecycleCommand,
      ptf: async () => (await import("./commands/package/ptf.ts")).packagePtfCommand,
    },
  },
  publish: async () => (await import("./commands/publish.ts")).publishCommand,
  key: {
    brief: "Keys that sign repositories",
    commands: {
      new: async () => (await import("./commands/key.ts")).keyNewCommand,
      rotate: async () => (await import("./commands/key.ts")).keyRotateCommand,
      show: async () => (await import("./commands/key.ts")).keyShowCommand,
    },
  },
  advisory: {
    brief: "What is told of live patches, and which fixes they are made for",
    commands: {
      check: async () => (await import("./commands/advisory.ts")).advisoryCheckCommand,
      list: async () => (await import("./commands/advisory.ts")).advisoryListCommand,
    },
  },
  lifecycle: async () => (await import("./commands/lifecycle.ts")).lifecycleCommand,
  doctor: async () => (await import("./commands/doctor.ts")).doctorCommand,
  demo: async () => (await import("./commands/demo.ts")).demoCommand,
};

type CommandLoader = () => Promise<Command<Context>>;

interface Group {
  readonly brief: string;
  readonly commands: Readonly<Record<string, CommandLoader>>;
}

/** The command that the words begin with, by itself; all of them where none does (`--help`, a misspelt word). */
async function loadRoutes([word = ""]: readonly string[]): Promise<RouteMap<Context>> {
  const named = Object.hasOwn(commands, word) ? { [word]: commands[word]! } : commands; // it has the word
  const routes = await eachLoaded(named, async (one) => {
    if (typeof one === "function") return one();
    const group = await eachLoaded(one.commands, (load) => load());
    return buildRouteMap({ routes: group, docs: { brief: one.brief } });
  });
  return buildRouteMap<string, Context>({
    routes,
    docs: {
      brief: "Live patches for stock distribution kernels",
      fullDescription: `Live patches for stock distribution kernels: from a source change to a module that replaces
functions of the running kernel.

Exit status:
${exitCodeLines().join("\n")}

kgraft(1) tells more; kgr(1) is the tool on the patched machine.`,
    },
  });
}

async function eachLoaded<T, U>(
  table: Readonly<Record<string, T>>,
  load: (one: T) => Promise<U>,
): Promise<Record<string, U>> {
  return Object.fromEntries(
    await Promise.all(Object.entries(table).map(async ([word, one]) => [word, await load(one)] as const)),
  );
}

/** Runs the command; all that it answers goes to `io`. @returns the exit status */
export async function kgraft(argv: readonly string[], io: Io): Promise<number> {
  const color = wantsColor(io.stdout.isTTY === true, io.env);
  const board = makeBoard(io.stdout, io.stderr, makeStyle(wantsColor(io.stderr.isTTY === true, io.env)));
  let failure: { readonly error: unknown } | undefined;
  const app = application(await loadRoutes(argv), (error) => (failure ??= { error }));
  const context: Context = {
    // Its own complaints are taken as values; see application().
    process: {
      stdout: { write: (text) => board.write(text), getColorDepth: () => (color ? 8 : 1) },
      stderr: { write: () => {} },
    },
    board,
    style: makeStyle(color),
    columns: io.stdout.columns ?? Number.POSITIVE_INFINITY,
    signal: io.signal,
    status: 0,
  };
  try {
    await run(app, argv, context);
  } finally {
    board.close();
  }
  if (failure === undefined) return context.status;
  // What an aborted stage throws matters less than that it was aborted.
  const error: unknown = io.signal.aborted ? io.signal.reason : failure.error;
  // Nobody reads any more, so nobody is told: whoever left (`| head`) had enough.
  if (io.signal.aborted && isClosedPipe(error)) return 0;
  if (wantsJson(argv)) io.stdout.write(`${JSON.stringify(errorDocument(error), null, 2)}\n`);
  else {
    const style = makeStyle(wantsColor(io.stderr.isTTY === true, io.env));
    io.stderr.write(`${errorLines(error, io.stderr.columns ?? 100, style).join("\n")}\n`);
  }
  return exitCodeOf(error);
}

function isClosedPipe(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "EPIPE";
}

function wantsJson(argv: readonly string[]): boolean {
  const end = argv.indexOf("--");
  return (end < 0 ? argv : argv.slice(0, end)).includes("--json");
}

function application(routes: RouteMap<Context>, onFailure: (error: unknown) => void): Application<Context> {
  const take = (error: unknown): string => {
    onFailure(error);
    return "";
  };
  const text: ApplicationText = {
    ...text_en,
    noCommandRegisteredForInput: ({ input, corrections }) =>
      take(
        new UsageError(`no command is called ${input}`, didYouMean("", corrections, "type: kgraft --help")),
      ),
    exceptionWhileParsingArguments: (error) => take(usageError(error)),
    exceptionWhileLoadingCommandFunction: take,
    exceptionWhileLoadingCommandContext: take,
    exceptionWhileRunningCommand: take,
    commandErrorResult: take,
  };
  return buildApplication(routes, {
    name: "kgraft",
    versionInfo: { currentVersion: packageJson.version },
    scanner: { caseStyle: "allow-kebab-for-camel", allowArgumentEscapeSequence: true },
    localization: { text },
  });
}

function usageError(error: unknown): unknown {
  if (!(error instanceof ArgumentScannerError)) return error;
  let hint = "add --help to the command to see what it takes";
  const message = formatMessageForArgumentScannerError(error, {
    FlagNotFoundError: ({ input, corrections }) => {
      hint = didYouMean("--", corrections, hint);
      return `no option is called --${input}`;
    },
    ArgumentParseError: ({ externalFlagNameOrPlaceholder: name, input, exception }) =>
      `cannot read ${/^[a-z]/.test(name) ? `--${name}` : name}: found ${JSON.stringify(input)}, ${exception instanceof Error ? exception.message : String(exception)}`,
    EnumValidationError: ({ externalFlagName: name, input, values }) =>
      `cannot read --${name}: found ${JSON.stringify(input)}, wanted ${values.join(" or ")}`,
    UnsatisfiedFlagError: ({ externalFlagName: name }) => `option --${name} is missing`,
    UnsatisfiedPositionalError: ({ placeholder }) => `${placeholder} is missing`,
    UnexpectedPositionalError: ({ input }) => `cannot take ${JSON.stringify(input)}: one word too many`,
  });
  return new UsageError(message, hint);
}

function didYouMean(prefix: string, corrections: readonly string[], otherwise: string): string {
  const words = corrections.map((word) => prefix + word.replace(/^`(.*)`$/, "$1").replace(/^--/, ""));
  return words.length === 0 ? otherwise : `did you mean ${words.join(" or ")}?`;
}
