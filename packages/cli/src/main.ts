/** The process around the command: signals, closed pipes, exit status. */
import { kgraft } from "./app.ts";
import { Interrupted } from "./errors.ts";

const interrupt = new AbortController();
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  process.on(signal, () => {
    // The second time nobody wants to wait any more.
    if (interrupt.signal.aborted) process.exit(130);
    interrupt.abort(new Interrupted(signal));
  });
}
for (const stream of [process.stdout, process.stderr]) {
  // Whoever read has gone (`kgraft ... | head`): stop the work quietly.
  stream.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") throw error;
    interrupt.abort(error);
  });
}

process.exitCode = await kgraft(process.argv.slice(2), {
  stdout: process.stdout,
  stderr: process.stderr,
  env: process.env,
  signal: interrupt.signal,
});
// On its own way out Node lets go of the signals first: a second Ctrl-C just then would be the exit status.
if (interrupt.signal.aborted) process.exit();
