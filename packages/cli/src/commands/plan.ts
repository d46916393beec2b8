import { openKernel, writeTogether } from "@kgraft/kernel";
import { buildPlan, type BuiltPlan, makePlan, type Plan, type PlannedUnit, planPage } from "@kgraft/plan";
import { buildCommand, type Command } from "@stricli/core";
import { answer, type Context, jsonFlag } from "../context.ts";
import { count, formatBytes, table } from "../format.ts";
import { parsePath, parseText } from "../parameters.ts";
import { follow, planTitles } from "../stages.ts";
import type { Style } from "../style.ts";

interface Flags {
  readonly kernel: string;
  readonly from: string;
  readonly to: string;
  readonly build: boolean;
  readonly output?: string;
  readonly html?: string;
  readonly withoutHeaders: boolean;
  readonly json: boolean;
}

async function run(this: Context, flags: Flags): Promise<void> {
  const { signal } = this;
  const kernel = await openKernel(flags.kernel);
  const progress = follow(this.board, planTitles);
  const { onProgress } = progress;
  const { from, to, withoutHeaders } = flags;
  const { plan, opened } = await makePlan({ kernel, from, to, withoutHeaders }, { onProgress, signal });
  await using change = opened;
  let built: BuiltPlan | undefined;
  if (flags.build) {
    onProgress({ stage: "link" });
    built = await buildPlan(plan, change, flags.output ?? process.cwd(), signal);
  }
  if (flags.html !== undefined) {
    onProgress({ stage: "page" });
    await writeTogether([[flags.html, await planPage(plan, kernel)]]);
  }
  progress.done();
  answer(this, flags.json, planDocument(plan, flags, built), () => planLines(plan, built, this.style));
}

/** The plan as a document: without what only linking wants. */
function planDocument(plan: Plan, flags: Flags, built: BuiltPlan | undefined): object {
  const { units, files, fixes } = plan;
  const { kernel, from, to } = flags;
  return {
    release: kernel,
    from,
    to,
    summary: summaryOf(plan),
    units,
    files,
    fixes,
    ...(built && { built }),
  };
}

interface Summary {
  readonly units: Readonly<Record<PlannedUnit["verdict"], number>>;
  readonly fixes: Readonly<Record<Plan["fixes"][number]["verdict"], number>>;
  readonly notCompiled: number;
  readonly functions: number;
}

function summaryOf({ units, files, fixes }: Plan): Summary {
  const unitsWith = (verdict: PlannedUnit["verdict"]): number =>
    units.filter((unit) => unit.verdict === verdict).length;
  const fixesWith = (verdict: Plan["fixes"][number]["verdict"]): number =>
    fixes.filter((fix) => fix.verdict === verdict).length;
  return {
    units: {
      carried: unitsWith("carried"),
      unchanged: unitsWith("unchanged"),
      "needs-author": unitsWith("needs-author"),
    },
    fixes: {
      carried: fixesWith("carried"),
      "needs-author": fixesWith("needs-author"),
      "not-compiled": fixesWith("not-compiled"),
      unassigned: fixesWith("unassigned"),
    },
    notCompiled: files.filter(({ verdict }) => verdict === "not-compiled").length,
    functions: units.reduce((sum, { functions }) => sum + functions.length, 0),
  };
}

function planLines(plan: Plan, built: BuiltPlan | undefined, style: Style): readonly string[] {
  const { units, fixes, functions, notCompiled } = summaryOf(plan);
  const author = plan.units.filter(({ verdict }) => verdict === "needs-author");
  return [
    ...author.flatMap(({ unit, reasons }) => [
      `${style.yellow(unit)} needs an author:`,
      ...reasons.slice(0, 3).map(({ subject, message }) => `  ${subject}: ${message}`),
      ...(reasons.length > 3
        ? [style.dim(`  and ${count(reasons.length - 3, "more reason")}; --json has them all`)]
        : []),
    ]),
    ...(author.length > 0 ? [""] : []),
    ...table([
      [
        style.green("carried as it is"),
        count(units.carried, "unit"),
        count(functions, "function"),
        count(fixes.carried, "fix", "fixes"),
      ],
      [
        style.yellow("needs an author"),
        count(units["needs-author"], "unit"),
        "",
        count(fixes["needs-author"], "fix", "fixes"),
      ],
      ["the same code", count(units.unchanged, "unit"), "", ""],
      ["not compiled here", count(notCompiled, "file"), "", count(fixes["not-compiled"], "fix", "fixes")],
      [style.dim("not told by the changelog"), "", "", count(fixes.unassigned, "fix", "fixes")],
    ]),
    ...(built === undefined
      ? []
      : [
          "",
          `${style.bold(built.modulePath)} (${formatBytes(built.manifest.module.sizeBytes)})`,
          built.manifestPath,
        ]),
  ];
}

export const planCommand: Command<Context> = buildCommand<Flags, [], Context>({
  func: run,
  parameters: {
    flags: {
      kernel: {
        kind: "parsed",
        parse: parseText,
        brief: "Release of the kernel that runs, fetched before",
        placeholder: "RELEASE",
      },
      from: {
        kind: "parsed",
        parse: parseText,
        brief: "Package version that it was built from",
        placeholder: "VERSION",
      },
      to: {
        kind: "parsed",
        parse: parseText,
        brief: "Package version that it is to be brought to",
        placeholder: "VERSION",
      },
      build: {
        kind: "boolean",
        brief: "Build one cumulative live patch of all that is carried",
        default: false,
        withNegated: false,
      },
      output: {
        kind: "parsed",
        parse: parsePath,
        brief: "Where it goes; here if not given",
        placeholder: "DIR",
        optional: true,
      },
      html: {
        kind: "parsed",
        parse: parsePath,
        brief: "Write the plan as a page, with old and new code of each function",
        placeholder: "FILE",
        optional: true,
      },
      withoutHeaders: {
        kind: "boolean",
        brief: "Leave out units of which only headers changed",
        default: false,
        withNegated: false,
      },
      json: jsonFlag,
    },
    aliases: { o: "output" },
  },
  docs: {
    brief: "Tell what a live patch can carry of a whole update",
    fullDescription: `Reads the distribution's update from one version of its kernel to another, compiles every unit
that it touches before and after, and tells unit by unit and fix by fix what a live patch
carries as it is, and what needs an author, because of what. Compiled units are kept: a plan
that was interrupted goes on where it was.

Examples:
  kgraft plan --kernel 6.1.0-55-cloud-amd64 --from 6.1.192-1 --to 6.1.192-2
  kgraft plan --kernel 6.1.0-54-cloud-amd64 --from 6.1.190-1 --to 6.1.192-1 --build -o out
  kgraft plan --kernel 6.1.0-54-cloud-amd64 --from 6.1.190-1 --to 6.1.192-1 --html plan.html`,
  },
});
