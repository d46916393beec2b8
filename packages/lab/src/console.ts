import { StringDecoder } from "node:string_decoder";
import type { Readable } from "node:stream";
import { findReport, type KernelOops } from "./oops.ts";

/** What the kernel logged to its serial console. */
export interface ConsoleLog {
  readonly text: string;
  /** What the kernel said it panicked of, once it has. */
  readonly panic: string | undefined;
  /** The first report of a fault; stays pending where there is none. */
  readonly oops: Promise<KernelOops>;
}

export interface ConsoleListener {
  readonly onLine: ((line: string) => void) | undefined;
  readonly onPanic: () => void;
}

const maxTextLength = 8 * 1024 * 1024;
const panicLine = /^\[\s*\d+\.\d+\](?:\[\s*[CT]\d+\])? Kernel panic - not syncing: (.*)$/;
/** A report that has no closing line is taken as it is after this time. */
const reportTimeMs = 2000;

/** Reads a console line by line until it closes. The oldest lines go where there are very many. */
export function readConsole(stream: Readable, listener: ConsoleListener): ConsoleLog {
  let text = "";
  let partial = "";
  let panic: string | undefined;
  let report: "none" | "begun" | "told" = "none";
  let timer: NodeJS.Timeout | undefined;
  const oops = Promise.withResolvers<KernelOops>();

  const tell = (): void => {
    clearTimeout(timer);
    const found = findReport(text);
    if (found === null) return;
    report = "told";
    oops.resolve(found.oops);
  };
  const watch = (line: string): void => {
    const reason = panicLine.exec(line)?.[1];
    if (reason !== undefined && panic === undefined) {
      panic = reason;
      listener.onPanic();
    }
    if (report === "none" && findReport(line) !== null) {
      report = "begun";
      timer = setTimeout(tell, reportTimeMs);
    }
    if (report === "begun" && line.includes("---[ end ")) tell();
  };
  const take = (chunk: string): void => {
    const lines = (partial + chunk).split("\n");
    partial = lines.pop() ?? "";
    for (const line of lines.map((raw) => raw.replace(/\r$/, ""))) {
      text += `${line}\n`;
      listener.onLine?.(line);
      watch(line);
    }
    if (text.length > maxTextLength)
      text = text.slice(text.indexOf("\n", text.length - maxTextLength / 2) + 1);
  };

  const decoder = new StringDecoder("utf8");
  stream.on("data", (chunk: Buffer) => take(decoder.write(chunk)));
  stream.on("close", () => {
    if (partial !== "") take("\n");
    if (report === "begun") tell();
  });
  return {
    get text(): string {
      return text + partial;
    },
    get panic(): string | undefined {
      return panic;
    },
    oops: oops.promise,
  };
}
