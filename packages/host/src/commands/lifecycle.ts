/**
 * Until when products, kernels and packages are supported: `zypper lifecycle`, for machines with dpkg as well, with its
 * options, its layout and its exit codes.
 */
import type { LifecycleProduct } from "@kgraft/contract";
import { type Command, type Context, printJson, printLines } from "../command.ts";
import { LifecycleError, UsageError } from "../errors.ts";
import { n, t } from "../language.ts";
import { secondsOfDay } from "../lifecycle/end.ts";
import { readLifecycleData } from "../lifecycle/files.ts";
import { readInstalled } from "../lifecycle/installed.ts";
import { namedReportText, reportText } from "../lifecycle/layout.ts";
import { readProducts } from "../lifecycle/products.ts";
import { makeReport, type Request } from "../lifecycle/report.ts";
import { readSaved, writeSaved } from "../lifecycle/saved.ts";
import { applyLines, solve, type Solved } from "../lifecycle/solve.ts";
import { findSuccessors } from "../lifecycle/successor.ts";
import type { System } from "../system.ts";
import { printable } from "../text.ts";

/** Its data is read whether or not a file of /etc/products.d tells of it. */
const ownProduct = "kgraft";
const daySeconds = 86_400;

export const lifecycleCommand: Command = {
  name: "lifecycle",
  operand: "[PACKAGE...]",
  options: ["days", "date", "save", "diff"],
  brief: n`tell when the support of kernels, packages and products ends`,
  details: n`--days N and --date YYYY-MM-DD show only what ends by then. --save keeps the\nreport, and --diff shows only what changed since one that was kept. -v adds\nwhich lifecycle data was read. Exits with 1 where a package is not installed or\nthe report is empty, with 2 where something cannot be read.`,
  async run({ system, invocation }: Context): Promise<number> {
    const { options, operands, json, verbosity } = invocation;
    const nowSeconds = Math.floor(system.epochMs() / 1000);
    const request = requestOf(options, operands, nowSeconds);
    const diff = options.get("diff");
    const saved = diff === undefined || request.kind === "names" ? null : readSaved(system, diff);
    const verbose = !json && verbosity > 0;
    if (verbose && diff !== undefined && request.kind !== "names" && saved === null) {
      printLines(system, [printable(`No such file or directory - ${diff}`)]);
    }
    const products = readProducts(system);
    const packages = await readPackages(system, products, verbose, nowSeconds);
    const { report, entries, status } = makeReport(products, packages, request, saved);
    if (json) {
      printJson(system, report);
    } else {
      const text = request.kind === "names" ? namedReportText(report, request.names) : reportText(report);
      system.print("out", text.split("\n").map(printable).join("\n"));
    }
    const save = options.get("save");
    if (save !== undefined && request.kind !== "names") {
      writeSaved(system, save, { savedAt: nowSeconds, entries });
    }
    return status;
  },
};

/** --days and --date come before names, as with zypper's plugin. @throws UsageError */
function requestOf(
  options: Context["invocation"]["options"],
  names: readonly string[],
  nowSeconds: number,
): Request {
  const [days, date] = [options.get("days"), options.get("date")];
  if (date !== undefined) {
    const seconds = secondsOfDay(date);
    if (seconds === null) {
      throw new UsageError(
        t`cannot read --date: found ${JSON.stringify(date)}, wanted YYYY-MM-DD`,
        t`type for example: kgr lifecycle --date 2027-12-31`,
      );
    }
    return { kind: "before", seconds };
  }
  if (days !== undefined) {
    if (!/^\d{1,5}$/.test(days)) {
      throw new UsageError(
        t`cannot read --days: found ${JSON.stringify(days)}, wanted a number of days`,
        t`type for example: kgr lifecycle --days 30`,
      );
    }
    return { kind: "before", seconds: nowSeconds + Number(days) * daySeconds };
  }
  return names.length === 0 ? { kind: "all" } : { kind: "names", names };
}

/** @throws LifecycleError */
async function readPackages(
  system: System,
  products: readonly LifecycleProduct[],
  verbose: boolean,
  nowSeconds: number,
): Promise<readonly Solved[]> {
  const installed = await readInstalled(system);
  const data = readLifecycleData(system, [...products.map(({ name }) => name), ownProduct]);
  if (verbose) {
    printLines(system, data.attempts.map(printable));
  }
  const [problem, ...more] = data.problems;
  if (problem !== undefined) {
    const others = more.map((message) => `kgr: ${printable(message)}\n`);
    system.print("err", others.join(""));
    throw new LifecycleError(problem, t`mend the file, or install again the package that it came in`);
  }
  const said = applyLines(installed, data.lines);
  const wanted = [...said.values()].flatMap(({ successor }) => (successor === null ? [] : [successor]));
  const successors = await findSuccessors(system, wanted);
  const base = products.find(({ kind }) => kind === "base") ?? null;
  const own = products.find(({ name }) => name === ownProduct) ?? null;
  return installed.map((one) => {
    const product = own !== null && one.name.startsWith("kgraft-") ? own : base;
    return solve(one, said.get(one) ?? null, successors.get(one) ?? null, product, nowSeconds);
  });
}
