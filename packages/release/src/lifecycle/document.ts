/** `lifecycle.json` and the publisher's policy: JSON documents, checked where they enter. */
import {
  type Lifecycle,
  type LifecyclePolicy,
  lifecyclePolicySchema,
  lifecycleSchema,
} from "@kgraft/contract";
import { secondsOfDay } from "./days.ts";
import { BadLifecycleData } from "./errors.ts";

const longestText = 64 << 20;

/** Lifecycle data as the text of `lifecycle.json`: a line for each kernel. */
export function lifecycleJson({ schema, kernels }: Lifecycle): string {
  const lines = kernels.map((kernel) => `\n    ${JSON.stringify(kernel)}`);
  return `{\n  "schema": ${JSON.stringify(schema)},\n  "kernels": [${lines.join(",")}\n  ]\n}\n`;
}

/** Reads `lifecycle.json`. @param path for messages @throws BadLifecycleData */
export function parseLifecycleJson(text: string, path: string): Lifecycle {
  const data = parse(
    lifecycleSchema,
    text,
    path,
    "take the lifecycle.json of the repository as it was published",
  );
  const releases = new Set<string>();
  for (const [at, { release, since, until }] of data.kernels.entries()) {
    const wrong = [since, until].find((day) => secondsOfDay(day) === null);
    if (wrong !== undefined || releases.has(release)) {
      const found =
        wrong === undefined ? `release ${release} stands there twice` : `there is no day ${wrong}`;
      throw new BadLifecycleData(
        `cannot read ${path}: kernels.${at}: ${found}`,
        "take the lifecycle.json of the repository as it was published",
      );
    }
    releases.add(release);
  }
  return data;
}

/** Reads a publisher's policy. @param path for messages @throws BadLifecycleData */
export function parseLifecyclePolicy(text: string, path: string): LifecyclePolicy {
  const hint = "docs/schema/lifecycle-policy.json says what a policy is";
  const policy = parse(lifecyclePolicySchema, text, path, hint);
  for (const [release, day] of Object.entries(policy.kernels ?? {})) {
    if (secondsOfDay(day) === null) {
      throw new BadLifecycleData(`cannot read ${path}: kernels.${release}: there is no day ${day}`, hint);
    }
  }
  return policy;
}

interface Schema<Data> {
  readonly safeParse: (value: unknown) =>
    | { readonly success: true; readonly data: Data }
    | {
        readonly success: false;
        readonly error: {
          readonly issues: readonly { readonly path: readonly PropertyKey[]; readonly message: string }[];
        };
      };
}

function parse<Data>(schema: Schema<Data>, text: string, path: string, hint: string): Data {
  if (text.length > longestText) {
    const found = `it has ${text.length} characters, wanted at most ${longestText}`;
    throw new BadLifecycleData(`cannot read ${path}: ${found}`, hint);
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new BadLifecycleData(`cannot read ${path}: it is no JSON`, hint, { cause });
  }
  const result = schema.safeParse(value);
  if (!result.success) {
    const [issue] = result.error.issues;
    const where = issue?.path.join(".") || "document";
    throw new BadLifecycleData(`cannot read ${path}: ${where}: ${issue?.message ?? "invalid"}`, hint);
  }
  return result.data;
}
