/**
 * Where running stages are shown. On a terminal each has a live line, drawn again ten times a second below what
 * is printed; a stage that has ended leaves one line behind. Elsewhere a stage is a line when it begins, a line
 * each ten seconds, and a line when it ends. Progress goes to the standard error output, answers to the standard
 * output; the board is the one writer of both, so that neither tears the other.
 */
import { formatMs, printable } from "./format.ts";
import { amountText, endLine, progressLine, type StageState } from "./progress-line.ts";
import type { Style } from "./style.ts";

export interface Stream {
  write(text: string): unknown;
  readonly isTTY?: boolean;
  readonly columns?: number;
}

export interface StageUpdate {
  readonly done?: number;
  readonly total?: number;
  /** How much of what is done was there already, where that comes to light on the way. */
  readonly reused?: number;
  readonly message?: string;
}

export interface Stage {
  update(update: StageUpdate): void;
  /** The stage has ended well; what it came to is kept in its line. */
  done(detail?: string): void;
  /** Away without a trace. */
  drop(): void;
}

export interface StageOptions {
  readonly unit?: StageState["unit"];
  /** Shown only while it runs, and only on a terminal. */
  readonly fleeting?: boolean;
}

export interface Board {
  stage(title: string, options?: StageOptions): Stage;
  /** Prints lines of the answer to the standard output. */
  print(...lines: readonly string[]): void;
  /** Prints text as it is, no newline added. */
  write(text: string, stream?: "stdout" | "stderr"): void;
  /** The same board, its stages set in by so many columns. */
  indented(columns: number): Board;
  /** Stages that still run leave no line; nothing is drawn any more. */
  close(): void;
}

interface Running {
  state: StageState;
  readonly startMs: number;
  readonly fleeting: boolean;
  /** Spaces before it on a terminal. */
  readonly indent: string;
  toldMs: number;
}

const frames = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"] as const;
const drawMs = 100;
const tellMs = 10_000;

/** The live lines, and everything that is written past them. */
interface Drawing {
  readonly live: boolean;
  readonly erase: () => void;
  readonly draw: () => void;
  readonly put: (text: string, stream: "stdout" | "stderr") => void;
}

function makeDrawing(stdout: Stream, stderr: Stream, style: Style, running: ReadonlySet<Running>): Drawing {
  const live = stderr.isTTY === true;
  let drawn = 0;
  const erase = (): void => {
    if (drawn > 0) stderr.write(`\u001b[${drawn}A\u001b[J`);
    drawn = 0;
  };
  const draw = (): void => {
    if (!live) return;
    erase();
    const frame = frames[Math.floor(performance.now() / drawMs) % frames.length] ?? "";
    const lines = [...running].map((one) => {
      const room = columnsOf(stderr) - one.indent.length - 3;
      return `${one.indent}${style.cyan(frame)} ${progressLine(stateOf(one), room)}\n`;
    });
    if (lines.length > 0) stderr.write(lines.join(""));
    drawn = lines.length;
  };
  return {
    live,
    erase,
    draw,
    put(text, stream) {
      erase();
      (stream === "stdout" ? stdout : stderr).write(text);
      draw();
    },
  };
}

function stateOf({ state, startMs }: Running): StageState {
  return { ...state, elapsedMs: performance.now() - startMs };
}

/** A terminal that nobody told its size says 0. */
function columnsOf({ columns = 0 }: Stream): number {
  return columns > 0 ? columns : 80;
}

export function makeBoard(stdout: Stream, stderr: Stream, style: Style): Board {
  const running = new Set<Running>();
  const drawing = makeDrawing(stdout, stderr, style, running);
  let timer: NodeJS.Timeout | undefined;

  const remove = (one: Running): void => {
    running.delete(one);
    if (running.size > 0) return;
    clearInterval(timer);
    timer = undefined;
  };
  const tell = (one: Running, what: string): void => {
    one.toldMs = performance.now();
    if (!drawing.live && !one.fleeting) drawing.put(`${one.state.title}${what}\n`, "stderr");
  };
  const stageOf = (one: Running): Stage => ({
    update({ reused, ...update }) {
      const doneAtStart = reused ?? one.state.doneAtStart ?? update.done;
      const message = update.message === undefined ? {} : { message: printable(update.message) };
      one.state = { ...one.state, ...update, ...message, doneAtStart };
      if (performance.now() - one.toldMs > tellMs) tell(one, amountText(stateOf(one)));
    },
    done(detail = "") {
      if (!running.has(one)) return;
      remove(one);
      const took = formatMs(performance.now() - one.startMs);
      if (!drawing.live) tell(one, `: ${[detail, took].filter(Boolean).join(", ")}`);
      else if (!one.fleeting) {
        const room = columnsOf(stderr) - one.indent.length - 3;
        const [text, time] = endLine(one.state.title, printable(detail), took, room);
        drawing.put(`${one.indent}${style.green("✔")} ${text}${style.dim(time)}\n`, "stderr");
      } else drawing.draw();
    },
    drop() {
      remove(one);
      drawing.draw();
    },
  });

  const board = (indent: string): Board => ({
    stage(title, { unit = "bytes", fleeting = false } = {}) {
      const startMs = performance.now();
      const state: StageState = { title, elapsedMs: 0, unit };
      const one: Running = { state, startMs, fleeting, indent, toldMs: startMs };
      running.add(one);
      if (drawing.live) timer ??= setInterval(drawing.draw, drawMs).unref();
      tell(one, " ...");
      return stageOf(one);
    },
    print(...lines) {
      if (lines.length > 0) drawing.put(`${lines.join("\n")}\n`, "stdout");
    },
    write(text, stream = "stdout") {
      drawing.put(text, stream);
    },
    indented(columns) {
      return board(" ".repeat(columns));
    },
    close() {
      drawing.erase();
      running.clear();
      clearInterval(timer);
    },
  });
  return board("");
}
