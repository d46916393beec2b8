/**
 * A publisher that dies at its nth step: a process of its own, killed as by the power going, before the write or
 * the removal of that number.
 *
 *     node killed-publisher.ts STEP REPOSITORY KEY PACKAGE...
 */
import { directoryStore, openSigner, publish, type Store } from "../src/mod.ts";
import { passphrase, signal } from "./scratch.ts";

const [step = "", repository = "", key = "", ...packages] = process.argv.slice(2);
let done = 0;

function dyingAt<Words extends readonly unknown[]>(
  work: (...words: Words) => Promise<void>,
): (...words: Words) => Promise<void> {
  return async (...words) => {
    if (done++ === Number(step)) process.kill(process.pid, "SIGKILL");
    await work(...words);
  };
}

const whole = directoryStore(repository);
const store: Store = {
  ...whole,
  writeLasting: dyingAt(whole.writeLasting),
  writePointer: dyingAt(whole.writePointer),
  writeTogether: dyingAt(whole.writeTogether),
  remove: dyingAt(whole.remove),
};
await using signer = await openSigner({ keys: [key], passphrase, signal });
await publish({ store, channel: "stable", packages, signer }, { signal });
console.log(done);
