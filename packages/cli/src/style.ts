/** Colours, or none: the caller decides once, from the terminal and NO_COLOR (https://no-color.org). */
export type Paint = (text: string) => string;

export interface Style {
  readonly bold: Paint;
  readonly dim: Paint;
  readonly red: Paint;
  readonly green: Paint;
  readonly yellow: Paint;
  readonly cyan: Paint;
}

function paint(enabled: boolean, on: number, off: number): Paint {
  return (text) => (enabled && text !== "" ? `\u001b[${on}m${text}\u001b[${off}m` : text);
}

export function makeStyle(enabled: boolean): Style {
  return {
    bold: paint(enabled, 1, 22),
    dim: paint(enabled, 2, 22),
    red: paint(enabled, 31, 39),
    green: paint(enabled, 32, 39),
    yellow: paint(enabled, 33, 39),
    cyan: paint(enabled, 36, 39),
  };
}

/** Whether to colour what goes to this stream. */
export function wantsColor(isTerminal: boolean, env: NodeJS.ProcessEnv): boolean {
  const noColor = env["NO_COLOR"];
  return isTerminal && (noColor === undefined || noColor === "") && env["TERM"] !== "dumb";
}
