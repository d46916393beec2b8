import { gunzipSync } from "node:zlib";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { editBlocks, type Entry, type GroupKind, joinBlocks, sha256, textsIn } from "./blocks.ts";
import type { Block } from "./ledger.ts";
import type { Store } from "./store.ts";

const { signal } = new AbortController();
const kind: GroupKind = {
  parts: ["one", "two"],
  compression: "gz",
  cut: (text) => text.split(/(?<=\n)/).filter((line) => line !== ""),
};
const entry = (name: string): Entry => ({ member: name, texts: { one: `${name}\n`, two: `${name}!\n` } });

function memoryStore(): Store & { readonly files: Map<string, Buffer> } {
  const files = new Map<string, Buffer>();
  const write = (path: string, bytes: Uint8Array): Promise<void> =>
    Promise.resolve(void files.set(path, Buffer.from(bytes)));
  return {
    name: "memory",
    files,
    read: (path) =>
      Promise.resolve(files.has(path) ? { bytes: files.get(path)!, tag: undefined } : undefined),
    writeLasting: write,
    writePointer: write,
    writeTogether: () => Promise.resolve(),
    has: (path) => Promise.resolve(files.has(path)),
    remove: (path) => Promise.resolve(void files.delete(path)),
    lock: () => Promise.resolve({ check: () => {}, [Symbol.asyncDispose]: () => Promise.resolve() }),
  };
}

describe("editBlocks()", () => {
  test("after any edits the index is what is left, in the order it came", async () => {
    const step = fc.record({ add: fc.nat(200), remove: fc.array(fc.nat(400), { maxLength: 20 }) });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 5 }), async (steps) => {
        const store = memoryStore();
        let blocks: readonly Block[] = [];
        let names: readonly string[] = [];
        let next = 0;
        for (const { add, remove } of steps) {
          const fresh = Array.from({ length: add }, () => `p${next++}`);
          const gone = new Set(remove.map((at) => `p${at}`));
          const texts = textsIn(store, "blocks", signal);
          blocks = await editBlocks(
            blocks,
            { remove: gone, add: fresh.filter((name) => !gone.has(name)).map(entry) },
            kind,
            texts,
          );
          names = [...names, ...fresh].filter((name) => !gone.has(name));
        }
        const index = await joinBlocks(blocks, "two", kind, textsIn(store, "blocks", signal), {
          head: "<",
          tail: ">",
        });
        const plain = gunzipSync(index.compressed).toString();
        expect(plain).toBe(`<${names.map((name) => `${name}!\n`).join("")}>`);
        expect({ sha256: sha256(plain), bytes: Buffer.byteLength(plain) }).toEqual({
          sha256: index.plainSha256,
          bytes: index.plainBytes,
        });
      }),
      { numRuns: 20 },
    );
  });

  test("writes only the last block for one more entry", async () => {
    const store = memoryStore();
    const many = Array.from({ length: 1000 }, (_, at) => entry(`p${at}`));
    const before = await editBlocks(
      [],
      { remove: new Set(), add: many },
      kind,
      textsIn(store, "blocks", signal),
    );
    const files = new Set(store.files.keys());
    const after = await editBlocks(
      before,
      { remove: new Set(), add: [entry("new")] },
      kind,
      textsIn(store, "blocks", signal),
    );
    expect(after.slice(0, -1)).toEqual(before.slice(0, -1));
    // Two parts, each as it is and compressed.
    expect([...store.files.keys()].filter((path) => !files.has(path))).toHaveLength(4);
  });

  test.each([
    [
      "is gone",
      (store: ReturnType<typeof memoryStore>, path: string) => store.files.delete(path),
      /it is not there/,
    ],
    [
      "was altered",
      (store: ReturnType<typeof memoryStore>, path: string) => store.files.set(path, Buffer.from("x\n")),
      /its hash is/,
    ],
  ])("refuses a block that %s", async (_, harm, message) => {
    const store = memoryStore();
    const blocks = await editBlocks(
      [],
      { remove: new Set(), add: [entry("a")] },
      kind,
      textsIn(store, "blocks", signal),
    );
    harm(store, `blocks/${blocks[0]!.parts["one"]!}`);
    const edit = { remove: new Set<string>(), add: [entry("b")] };
    const editing = editBlocks(blocks, edit, kind, textsIn(store, "blocks", signal));
    await expect(editing).rejects.toMatchObject({
      name: "RepositoryUnfit",
      message: expect.stringMatching(message),
    });
  });
});
