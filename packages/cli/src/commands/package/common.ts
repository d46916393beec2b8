/** What all commands that write packages have in common. */
import { hostname, userInfo } from "node:os";
import { type PackageFile, type PackageFormat, packageFormats, type PackageRequest } from "@kgraft/release";
import { jsonFlag } from "../../context.ts";
import { UsageError } from "../../errors.ts";
import { formatBytes, table } from "../../format.ts";
import { parsePath, parseText } from "../../parameters.ts";
import type { Style } from "../../style.ts";

export interface PackageFlags {
  readonly output?: string;
  readonly format?: readonly PackageFormat[];
  readonly maintainer?: string;
  readonly json: boolean;
}

interface TextFlag {
  readonly kind: "parsed";
  readonly parse: (text: string) => string;
  readonly brief: string;
  readonly placeholder: string;
  readonly optional: true;
}

export const packageFlags: {
  readonly output: TextFlag;
  readonly format: {
    readonly kind: "enum";
    readonly values: readonly PackageFormat[];
    readonly brief: string;
    readonly placeholder: string;
    readonly optional: true;
    readonly variadic: true;
  };
  readonly maintainer: TextFlag;
  readonly json: typeof jsonFlag;
} = {
  output: {
    kind: "parsed",
    parse: parsePath,
    brief: "Where the packages go; here if not given",
    placeholder: "DIR",
    optional: true,
  },
  format: {
    kind: "enum",
    values: packageFormats,
    brief: "deb or rpm; both if not given",
    placeholder: "FORMAT",
    optional: true,
    variadic: true,
  },
  maintainer: {
    kind: "parsed",
    parse: parseMaintainer,
    brief: "Who answers for the packages; from DEBFULLNAME and DEBEMAIL if not given",
    placeholder: "NAME <MAIL>",
    optional: true,
  },
  json: jsonFlag,
};

export const packageAliases: { readonly o: "output" } = { o: "output" };

function parseMaintainer(text: string): string {
  if (!/^[^<>\n]+ <[^<>\s]+@[^<>\s]+>$/.test(text)) throw new Error("wanted: Name <mail@address>");
  return parseText(text);
}

/** @throws UsageError where SOURCE_DATE_EPOCH is no date */
export function packageRequest(flags: PackageFlags, env: NodeJS.ProcessEnv): PackageRequest {
  return {
    directory: flags.output ?? process.cwd(),
    formats: flags.format ?? packageFormats,
    maintainer: flags.maintainer ?? maintainerOf(env),
    dateSeconds: dateOf(env),
  };
}

/** As Debian's own tools have it (dch(1)): by the environment, else by the machine. */
export function maintainerOf(env: NodeJS.ProcessEnv): string {
  const user = userInfo().username;
  return `${env["DEBFULLNAME"] ?? user} <${env["DEBEMAIL"] ?? env["EMAIL"] ?? `${user}@${hostname()}`}>`;
}

/** https://reproducible-builds.org/specs/source-date-epoch: same inputs, same bytes. Now where it is not set. */
export function dateOf(env: NodeJS.ProcessEnv): number {
  const given = env["SOURCE_DATE_EPOCH"];
  if (given === undefined || given === "") return Math.floor(Date.now() / 1000);
  if (!/^\d{1,10}$/.test(given)) {
    throw new UsageError(
      `cannot date the packages: SOURCE_DATE_EPOCH is ${JSON.stringify(given)}, wanted seconds since 1970`,
      "unset it, or set it as in: SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)",
    );
  }
  return Number(given);
}

export function packageLines(files: readonly PackageFile[], style: Style): readonly string[] {
  return table(
    files.map(({ path, sizeBytes }) => [style.bold(path), formatBytes(sizeBytes)]),
    [1],
  );
}
