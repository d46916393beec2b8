import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { type Board, makeBoard, type Stream } from "./board.ts";
import { makeStyle } from "./style.ts";

interface Sink extends Stream {
  text: string;
}

function sink(columns?: number): Sink {
  return {
    text: "",
    ...(columns !== undefined && { isTTY: true, columns }),
    write(text) {
      this.text += text;
    },
  };
}

let stdout: Sink;
let stderr: Sink;
let board: Board;

function open(columns?: number): void {
  stdout = sink(columns);
  stderr = columns === undefined ? sink() : stdout;
  board = makeBoard(stdout, stderr, makeStyle(false));
}

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

describe("elsewhere than on a terminal", () => {
  beforeEach(() => open());

  test("a stage is a line at its begin and one at its end", () => {
    const stage = board.stage("Unpacking");
    stage.update({ message: "x" });
    stage.done("3 packages");
    expect(stderr.text).toMatch(/^Unpacking \.\.\.\nUnpacking: 3 packages, \d+ ms\n$/);
    expect(stdout.text).toBe("");
  });

  test("a long stage tells every ten seconds how far it is", () => {
    const stage = board.stage("Downloading");
    vi.advanceTimersByTime(11_000);
    stage.update({ done: 1000, total: 2000 });
    stage.update({ done: 1500, total: 2000 });
    expect(stderr.text).toBe("Downloading ...\nDownloading: 1.0 kB of 2.0 kB\n");
  });

  test("and at what rate, which what was there already says nothing of", () => {
    const stage = board.stage("Compiling", { unit: "items" });
    stage.update({ done: 0, total: 700, reused: 0 });
    vi.advanceTimersByTime(1000);
    stage.update({ done: 500, total: 700, reused: 500 });
    vi.advanceTimersByTime(19_000);
    stage.update({ done: 510, total: 700, reused: 500 });
    expect(stderr.text).toBe("Compiling ...\nCompiling: 510 of 700, 0.5/s, 6 min 20 s left\n");
  });

  test("a fleeting stage says nothing", () => {
    const stage = board.stage("Running", { fleeting: true });
    stage.done();
    expect(stderr.text).toBe("");
  });

  test("the answer is alone on the standard output", () => {
    const stage = board.stage("Working");
    board.print("answer");
    stage.done();
    expect(stdout.text).toBe("answer\n");
  });
});

describe.each([40, 80])("on a terminal of %d columns", (columns) => {
  beforeEach(() => open(columns));

  test("no live line is wider than the terminal", () => {
    const stage = board.indented(3).stage("Downloading packages that have rather long names");
    stage.update({ done: 1, total: 3, message: "linux-image-6.1.0-55-cloud-amd64-dbg.deb" });
    vi.advanceTimersByTime(500);
    stage.done("a detail that is longer than the line has room for, by far");
    // oxlint-disable-next-line no-control-regex -- orders to the terminal take no room
    const lines = stdout.text.replaceAll(/\u001b\[\d*[A-Za-z]/g, "").split("\n");
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThan(columns);
    expect(lines.length).toBeGreaterThan(4);
  });

  test("a terminal that does not know its size has eighty columns", () => {
    open(0);
    board.stage("Compiling", { unit: "items" }).update({ done: 0, total: 9 });
    vi.advanceTimersByTime(200);
    expect(stdout.text).toContain("0 of 9");
  });

  test("what is printed stands above the live line, which is drawn again", () => {
    board.stage("Working");
    vi.advanceTimersByTime(100);
    stdout.text = "";
    board.print("answer");
    expect(stdout.text.startsWith("\u001b[1A\u001b[Janswer\n")).toBe(true);
    expect(stdout.text.endsWith(" Working\n")).toBe(true);
  });

  test("close() leaves nothing of what still ran", () => {
    board.stage("Working");
    vi.advanceTimersByTime(100);
    board.close();
    expect(stdout.text.endsWith("\u001b[1A\u001b[J")).toBe(true);
    vi.advanceTimersByTime(1000);
    expect(stdout.text.endsWith("\u001b[1A\u001b[J")).toBe(true);
  });
});

test("messages from outside give the terminal no orders", () => {
  open(80);
  board.stage("Working").update({ message: "a\u001b[2Jb" });
  vi.advanceTimersByTime(200);
  expect(stdout.text).toContain("a\\x1b[2Jb");
});
