/** Plays one example: examples/run.ts NAME */
import { type Example, play } from "./example.ts";

const [name = ""] = process.argv.slice(2);
const { example } = (await import(`./${name}/example.ts`)) as { readonly example: Example };
await play(example, console.log);
