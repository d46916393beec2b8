/**
 * Makes docs/demo.svg: a real run of the demonstration, as a terminal shows it.
 *
 * The demonstration runs under a terminal of its own (script(1)), with colours and live lines. What it writes is
 * played into a small model of a screen, which knows just what kgraft uses (colours, "up", "erase below"); the
 * screen's lines become text of an SVG. Nothing is added to what the run wrote.
 *
 *     scripts/with-node.sh node scripts/picture.ts            runs the demonstration, writes docs/demo.svg
 *     scripts/with-node.sh node scripts/picture.ts FILE       takes what `script` recorded before
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

const columns = 100;
const root = resolve(import.meta.dirname, "..");

interface Look {
  readonly color: string;
  readonly bold: boolean;
  readonly dim: boolean;
}

/** Text of one look, and the column it begins in. */
interface Run {
  readonly column: number;
  readonly text: string;
  readonly look: Look;
}

const plain: Look = { color: "text", bold: false, dim: false };
const colors: Readonly<Record<number, string>> = {
  31: "red",
  32: "green",
  33: "yellow",
  36: "cyan",
  39: "text",
};
const palette: Readonly<Record<string, string>> = {
  text: "#d8dee9",
  red: "#ff7b7b",
  green: "#8fd694",
  yellow: "#f2cc6b",
  cyan: "#7cc7f0",
};

function record(): string {
  const directory = mkdtempSync(join(tmpdir(), "kgraft-picture-"));
  try {
    const file = join(directory, "typescript");
    const command = `stty cols ${columns} rows 200; exec ${join(root, "kgraft")} demo --install`;
    execFileSync("script", ["-qec", command, file], {
      stdio: ["ignore", "ignore", "inherit"],
      env: { ...process.env, TERM: "xterm-256color", NO_COLOR: "" },
    });
    return readFileSync(file, "utf8");
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

function changed(look: Look, code: number): Look {
  if (code === 0) return plain;
  if (code === 1) return { ...look, bold: true };
  if (code === 2) return { ...look, dim: true };
  if (code === 22) return { ...look, bold: false, dim: false };
  const color = colors[code];
  return color === undefined ? look : { ...look, color };
}

// The terminal's own language: orders, line ends, words.
// oxlint-disable-next-line no-control-regex -- it is made of control characters
const tokens = /\u001b\[(\d*)([A-Za-z])|\r?\n|\r|([^\u001b\r\n]+)/g;

/** The screen's lines after all that was written. */
function play(text: string): readonly (readonly Run[])[] {
  const screen: Run[][] = [[]];
  let row = 0;
  let look = plain;
  for (const [all, number, letter, words] of text.matchAll(tokens)) {
    if (letter === "A") row = Math.max(row - Number(number === "" ? 1 : number), 0);
    else if (letter === "J") screen.splice(row, Infinity, []);
    else if (letter === "m") look = changed(look, Number(number));
    else if (words !== undefined) {
      const line = (screen[row] ??= []);
      const last = line.at(-1);
      line.push({ column: last === undefined ? 0 : last.column + last.text.length, text: words, look });
    } else if (all.endsWith("\n")) screen[++row] ??= [];
  }
  return screen;
}

function escape(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}

const cell = { width: 8.4, height: 20 } as const;
const frame = { left: 24, top: 58, bottom: 20 } as const;

function drawRun({ column, text, look }: Run): string {
  const start = text.length - text.trimStart().length;
  const shown = text.trim();
  if (shown === "") return "";
  const x = (frame.left + (column + start) * cell.width).toFixed(1);
  const weight = look.bold ? ' font-weight="700"' : "";
  const opacity = look.dim ? ' fill-opacity="0.6"' : "";
  // The length is said, so that another font than the one thought of keeps the columns.
  const length = (shown.length * cell.width).toFixed(1);
  return `<tspan x="${x}" textLength="${length}" lengthAdjust="spacingAndGlyphs" fill="${palette[look.color]}"${weight}${opacity}>${escape(shown)}</tspan>`;
}

function draw(screen: readonly (readonly Run[])[]): string {
  const width = frame.left * 2 + columns * cell.width;
  const height = frame.top + screen.length * cell.height + frame.bottom;
  const lines = screen.map((line, row) => {
    const y = frame.top + (row + 0.75) * cell.height;
    const text = line.map(drawRun).join("");
    return text === "" ? "" : `<text y="${y}" xml:space="preserve">${text}</text>`;
  });
  const buttons = ["#ff5f57", "#febc2e", "#28c840"].map(
    (fill, index) => `<circle cx="${26 + index * 22}" cy="22" r="6.5" fill="${fill}"/>`,
  );
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" role="img" aria-label="A run of npm run demo in a terminal">
<rect width="${width}" height="${height}" rx="12" fill="#171b24"/>
<path d="M0 12a12 12 0 0 1 12-12h${width - 24}a12 12 0 0 1 12 12v32h-${width}z" fill="#222836"/>
${buttons.join("")}
<text x="${width / 2}" y="27" fill="#8b93a7" font-family="system-ui,sans-serif" font-size="13" text-anchor="middle">npm run demo</text>
<g font-family="ui-monospace,'DejaVu Sans Mono','Liberation Mono',Menlo,Consolas,monospace" font-size="14">
${lines.filter((line) => line !== "").join("\n")}
</g>
</svg>
`;
}

const [recorded] = process.argv.slice(2);
const typescript = recorded === undefined ? record() : readFileSync(recorded, "utf8");
// script(1) writes a line of its own before and after.
const lines = play(typescript).filter((line) => !/^Script (started|done) on /.test(line[0]?.text ?? ""));
while (lines.at(-1)?.length === 0) lines.splice(-1);
const file = join(root, "docs/demo.svg");
writeFileSync(`${file}.tmp`, draw(lines));
renameSync(`${file}.tmp`, file);
