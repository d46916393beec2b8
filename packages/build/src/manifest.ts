/** The manifest of a built live patch. */
import { createHash } from "node:crypto";
import { basename } from "node:path";
import type { Manifest } from "@kgraft/contract";
import type { BuildRequest } from "./build.ts";
import type { PatchedDelta } from "./unit.ts";

export type ManifestRequest = Pick<BuildRequest, "kernel" | "patches" | "fixes">;

/** What a live patch says of itself, beside its module. */
export async function manifestOf(
  request: ManifestRequest,
  name: string,
  carried: readonly PatchedDelta[],
  bytes: Uint8Array,
): Promise<Manifest> {
  // Schemas take longer to load than everything else of this room: a command that writes no manifest goes without.
  const { manifestSchema } = await import("@kgraft/contract");
  const { release, packageVersion, architecture, buildId } = request.kernel;
  return manifestSchema.parse({
    schema: "kgraft-manifest/1",
    name,
    kernel: { release, packageVersion, architecture, buildId },
    module: { file: `${name}.ko`, sha256: sha256(bytes), sizeBytes: bytes.length },
    fixes: request.fixes ?? [],
    functions: carried.flatMap(({ unit, shippedObject, functions }) =>
      functions.map(({ name: function_, sympos, originalSizeBytes, replacementSizeBytes }) => ({
        object: shippedObject,
        name: function_,
        sympos,
        unit,
        originalSizeBytes,
        replacementSizeBytes,
      })),
    ),
    sources: request.patches.map((patch) => ({ file: basename(patch.name), sha256: sha256(patch.text) })),
    compiler: request.kernel.compiler.version,
  });
}

function sha256(data: string | Uint8Array): string {
  return createHash("sha256").update(data).digest("hex");
}
