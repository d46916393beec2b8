import type { Finding, VerifiedFunction, VerifiedPatch, VerifyReport } from "@kgraft/contract";
import { type Command, type Context, printJson, printLines } from "../command.ts";
import { NotRootError, RefusedError } from "../errors.ts";
import { isRoot, kernelRelease } from "../kernel-identity.ts";
import { hasKgraft } from "../kgraft.ts";
import { n, t } from "../language.ts";
import { checkSupport, readFunctions, readPatches } from "../livepatch.ts";
import type { System } from "../system.ts";
import { printable, readText } from "../text.ts";
import { type Evidence, readEvidence } from "../verify/evidence.ts";
import { resultOf } from "../verify/finding.ts";
import { ftraceSymbols, verifyFunction } from "../verify/function.ts";
import { type VerifiedModule, verifyModule } from "../verify/module.ts";

export const verifyCommand: Command = {
  name: "verify",
  operand: null,
  options: [],
  brief: n`prove that every function of every live patch is redirected`,
  details: n`By the bytes in memory, ftrace's record, the kernel's own account, and the\nmanifest, file and signature of each patch. Tells who else hooks these\nfunctions. -v adds a line for each function. Exits with 0 where all is proven,\n1 where something is wrong, 7 where something cannot be told.`,
  async run(context: Context): Promise<number> {
    const { system, invocation } = context;
    checkMayVerify(system);
    const report = await verify(context);
    if (invocation.json) {
      printJson(system, report);
    } else {
      printLines(system, linesOf(report, invocation.verbosity).map(printable));
    }
    if (!invocation.json && report.result !== "proven") {
      system.print("err", hintFor(report));
    }
    return { proven: 0, wrong: 1, unknown: 7 }[report.result];
  },
};

/** @throws NotRootError, NoLivePatchingError, RefusedError */
function checkMayVerify(system: System): void {
  if (!isRoot(system)) {
    throw new NotRootError(
      t`cannot verify live patches: only root may see the kernel's memory`,
      t`type the command after: sudo`,
    );
  }
  checkSupport(system);
  if (hasKgraft(system)) {
    throw new RefusedError(
      t`cannot verify live patches: this kernel has kGraft, which does not tell what it replaces`,
      t`see them with: kgr -v patches; end a transition with: kgr poke`,
    );
  }
}

async function verify({ system, policy }: Context): Promise<VerifyReport> {
  const patches = readPatches(system).filter(({ state }) => state !== "off");
  const functions = new Map(patches.map(({ name }) => [name, readFunctions(system, name)]));
  const evidence =
    patches.length === 0 ? null : readEvidence(system, [...functions.values(), ftraceSymbols].flat());
  const verified: VerifiedPatch[] = [];
  for (const patch of patches) {
    const module = await verifyModule(system, policy, patch);
    const each = (functions.get(patch.name) ?? []).map(
      (replaced) => verifyFunction(system, evidence!, patch.name, replaced), // there is evidence where there is a patch
    );
    verified.push(conclude(patch.name, module, each, evidence!));
  }
  return {
    result: resultOf(verified),
    release: kernelRelease(system),
    lockdown: readLockdown(system),
    patches: verified,
  };
}

function conclude(
  name: string,
  module: VerifiedModule,
  functions: readonly VerifiedFunction[],
  evidence: Evidence,
): VerifiedPatch {
  const findings = [...module.findings, ...(functions.length === 0 ? [] : evidence.findings)];
  return { name, result: resultOf([...findings, ...functions]), ...module, findings, functions };
}

/** `[none] integrity confidentiality` */
function readLockdown(system: System): VerifyReport["lockdown"] {
  const chosen = /\[(\w+)\]/.exec(readText(system, "/sys/kernel/security/lockdown") ?? "")?.[1];
  return chosen === "none" || chosen === "integrity" || chosen === "confidentiality" ? chosen : null;
}

function linesOf({ patches }: VerifyReport, verbosity: number): readonly string[] {
  return patches.length === 0
    ? [t`no live patch is in force`]
    : patches.flatMap((patch) => [lineOf(patch), ...(verbosity > 0 ? detailsOf(patch) : [])]);
}

/** One line for a patch: how it stands, and the worst of what speaks against it. */
function lineOf(patch: VerifiedPatch): string {
  const { name, result, functions } = patch;
  const users = functions.flatMap(({ otherUsers }) => otherUsers).length;
  const hooked = users === 0 ? "" : t`; other users of them: ${users}`;
  const [worst = "", ...rest] = reasonsOf(patch);
  const more = rest.length === 0 ? "" : t` (and ${rest.length} more, see -v)`;
  switch (result) {
    case "proven":
      return t`${name}: proven, functions: ${functions.length}${hooked}`;
    case "wrong":
      return t`${name}: wrong: ${worst}${more}${hooked}`;
    case "unknown":
      return t`${name}: cannot be proven: ${worst}${more}${hooked}`;
  }
}

/** All that speaks against a patch, the worst first. */
function reasonsOf({ findings, functions }: VerifiedPatch): readonly string[] {
  const all = [
    ...findings,
    ...functions.flatMap((replaced) =>
      replaced.findings.map(({ result, message }) => ({
        result,
        message: `${labelOf(replaced)}: ${message}`,
      })),
    ),
  ];
  const ofResult = (wanted: Finding["result"]): readonly string[] =>
    all.filter(({ result }) => result === wanted).map(({ message }) => message);
  return [...ofResult("wrong"), ...ofResult("unknown")];
}

function detailsOf({ findings, signature, file, functions }: VerifiedPatch): readonly string[] {
  return [
    t`    file: ${file ?? "-"}`,
    `${t`    signature:`} ${signatureText(signature)}`,
    ...findings.map(({ message }) => `    ${message}`),
    ...functions.flatMap((replaced) => [
      `    ${labelOf(replaced)}: ${functionText(replaced)}`,
      ...replaced.findings.map(({ message }) => `        ${message}`),
      ...replaced.otherUsers.map((user) => `        ${t`other user:`} ${user}`),
    ]),
  ];
}

function functionText({ result, loaded, address, entry, calls }: VerifiedFunction): string {
  if (!loaded) {
    return t`its module is not loaded, nothing to redirect`;
  }
  const seen = t`at ${address ?? "?"}, entry ${entry ?? "?"}, calls ${calls ?? "?"}`;
  switch (result) {
    case "proven":
      return t`redirected, ${seen}`;
    case "wrong":
      return t`wrong, ${seen}`;
    case "unknown":
      return t`not proven, ${seen}`;
  }
}

function signatureText(signature: VerifiedPatch["signature"]): string {
  switch (signature) {
    case "verified":
      return t`verified by the kernel`;
    case "unverified":
      return t`not verified by the kernel`;
    case "none":
      return t`none`;
    case "unknown":
      return t`unknown`;
  }
}

function labelOf({ object, name, sympos }: VerifiedFunction): string {
  return sympos > 1 ? `${object}:${name},${sympos}` : `${object}:${name}`;
}

/** What to type next. */
function hintFor({ patches }: VerifyReport): string {
  const first = patches.find(({ result }) => result === "wrong");
  if (first === undefined) {
    return `     ${t`see what is missing with: kgr -v verify`}\n`;
  }
  const again = t`see each function with: kgr -v verify; take it out with: kgr unload ${first.name}`;
  return `     ${again}\n`;
}
