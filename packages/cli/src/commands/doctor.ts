import { buildCommand, type Command } from "@stricli/core";
import { answer, type Context, jsonFlag } from "../context.ts";
import { formatBytes, table } from "../format.ts";
import { installPackages } from "../machine/install.ts";
import { type CommandNeeds, installLine, missingPackages, readNeeds } from "../machine/requirements.ts";
import { checkSupported, readSpace, readSystem, type Space, type SystemFacts } from "../machine/system.ts";
import type { Style } from "../style.ts";

interface Flags {
  readonly install: boolean;
  readonly json: boolean;
}

interface Diagnosis {
  readonly system: SystemFacts;
  readonly space: Space;
  readonly groups: readonly CommandNeeds[];
}

async function run(this: Context, { install, json }: Flags): Promise<void> {
  const system = await readSystem();
  checkSupported(system);
  let groups = await readNeeds();
  if (install && missingPackages(groups).length > 0) {
    await installPackages(missingPackages(groups), this);
    groups = await readNeeds();
  }
  const diagnosis: Diagnosis = { system, space: await readSpace(process.env), groups };
  const missing = missingPackages(groups);
  // 69, as the command that lacks it would say.
  this.status = missing.length === 0 ? 0 : 69;
  const document = { ...diagnosis, install: missing.length === 0 ? null : installLine(missing) };
  answer(this, json, document, () => diagnosisLines(diagnosis, this.style));
}

function diagnosisLines({ system, space, groups }: Diagnosis, style: Style): readonly string[] {
  const mark = (good: boolean): string => (good ? style.green("✔") : style.red("✘"));
  const enough = space.freeBytes >= space.wantedBytes;
  const missing = missingPackages(groups);
  return [
    `${mark(system.supported)} ${system.name} on ${system.machine}`,
    `${mark(enough)} ${formatBytes(space.freeBytes)} free for ${space.path}${enough ? "" : `, one kernel takes about ${formatBytes(space.wantedBytes)}`}`,
    ...groups.flatMap(({ commands, needs }) => [
      "",
      style.bold(commands.map((command) => `kgraft ${command}`).join(", ")),
      ...table(
        needs.map(({ what, packageName, present }) => [`  ${mark(present)} ${packageName}`, style.dim(what)]),
      ),
    ]),
    "",
    ...(missing.length === 0
      ? [style.green("nothing is missing")]
      : [`what is missing comes with:\n  ${style.bold(installLine(missing))}`]),
  ];
}

export const doctorCommand: Command<Context> = buildCommand<Flags, [], Context>({
  func: run,
  parameters: {
    flags: {
      install: {
        kind: "boolean",
        brief: "Install what is missing, with apt-get (and sudo where needed)",
        default: false,
        withNegated: false,
      },
      json: jsonFlag,
    },
  },
  docs: {
    brief: "Say what this machine has and lacks",
    fullDescription: `Says for each command what it needs and whether that is there, and the one command that
installs what is missing. The exit status is 69 when something is missing.

Examples:
  kgraft doctor
  kgraft doctor --install`,
  },
});
