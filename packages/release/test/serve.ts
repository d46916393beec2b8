/** A folder over HTTP on the loopback, as any web server serves it. */
import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join, normalize } from "node:path";

export interface Served extends AsyncDisposable {
  readonly url: string;
  /** Paths that were asked for, each as often as it was. */
  readonly asked: readonly string[];
  /** Serves another folder from now on, at the same address. */
  readonly show: (directory: string) => void;
}

export async function serve(directory: string): Promise<Served> {
  const asked: string[] = [];
  let shown = directory;
  const server = createServer((request, response) => {
    void (async () => {
      const path = normalize(decodeURIComponent(new URL(request.url ?? "/", "http://x").pathname));
      asked.push(path);
      const file = join(shown, path);
      const found = await stat(file).catch(() => undefined);
      if (found?.isFile() !== true) {
        response.writeHead(404).end();
        return;
      }
      response.writeHead(200, { "content-length": found.size, "last-modified": found.mtime.toUTCString() });
      // A file that is replaced meanwhile is sent as it was: it is open already.
      createReadStream(file)
        .on("error", () => response.destroy())
        .pipe(response);
    })();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked,
    show(other) {
      shown = other;
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
