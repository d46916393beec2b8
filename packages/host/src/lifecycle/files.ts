/**
 * Where lifecycle data stands: `PRODUCT.lifecycle` in the folders of zypper's plugin. All of them are read, and of the
 * lines for one package the last one counts.
 */
import type { LifecycleLine } from "@kgraft/contract";
import { n, t, translate } from "../language.ts";
import { type System, SystemError } from "../system.ts";
import { decodeUtf8, listNames } from "../text.ts";
import { parseLifecycleText } from "./lines.ts";

/** In the order in which they are read. */
const folders = ["/var/lib/lifecycle/data", "/usr/lib/lifecycle/data", "/usr/share/lifecycle/data"];
const limitBytes = 16 << 20;

export interface LifecycleData {
  readonly lines: readonly LifecycleLine[];
  /** A message for each thing that could not be read. */
  readonly problems: readonly string[];
  /** Each place that was looked into, and what came of it, as zypper's plugin tells it with -v. */
  readonly attempts: readonly string[];
}

/** The data for these products. */
export function readLifecycleData(system: System, products: readonly string[]): LifecycleData {
  const names = [...new Set(products)].filter((name) => /^[\w.+-]+$/.test(name));
  const data = { lines: [] as LifecycleLine[], problems: [] as string[], attempts: [] as string[] };
  for (const path of names.flatMap((name) => folders.map((folder) => `${folder}/${name}.lifecycle`))) {
    const { lines, problems, attempt } = readFile(system, path);
    // One by one: an argument list has an end.
    for (const line of lines) {
      data.lines.push(line);
    }
    for (const problem of problems) {
      data.problems.push(t`cannot read ${path}: ${problem}`);
    }
    data.attempts.push(`trying to load ${path}... ${attempt}`);
  }
  return data;
}

/** Lines of interest in all data of the machine. */
export function searchLifecycleData(
  system: System,
  isWanted: (content: string) => boolean,
): readonly LifecycleLine[] {
  const files = folders.flatMap((folder) =>
    listNames(system, folder)
      .filter((name) => name.endsWith(".lifecycle"))
      .map((name) => `${folder}/${name}`),
  );
  return files.flatMap((path) => readFile(system, path, isWanted).lines);
}

function readFile(
  system: System,
  path: string,
  isWanted?: (content: string) => boolean,
): Pick<LifecycleData, "lines" | "problems"> & { readonly attempt: string } {
  try {
    const text = parseLifecycleText(decodeUtf8(system.readBytes(path, limitBytes)), isWanted);
    return { ...text, attempt: text.problems.length === 0 ? "ok" : (text.problems[0] ?? "") };
  } catch (error) {
    if (!(error instanceof SystemError)) {
      throw error;
    }
    const gone = error.code === "ENOENT";
    const problem = error.code === "EFBIG" ? translate(n`it is too long`) : error.code;
    return {
      lines: [],
      problems: gone ? [] : [problem],
      attempt: gone ? `No such file or directory - ${path}` : problem,
    };
  }
}
