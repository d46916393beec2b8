/** What long work tells whoever waits for it. */
export interface Progress {
  /** One of index, download, toolchain, unpack, prepare, commands, units, diff, wait. */
  readonly stage: string;
  readonly doneBytes?: number;
  readonly totalBytes?: number;
  /** How much of what is done was there already, from an earlier run: it says nothing of how fast the work goes. */
  readonly reusedBytes?: number;
  readonly message?: string;
}

export type OnProgress = (progress: Progress) => void;

export interface WorkOptions {
  readonly onProgress: OnProgress;
  readonly signal: AbortSignal;
}
