/** What long work tells whoever waits for it. */
export interface Progress {
  /** One of index, download, toolchain, unpack, prepare, commands, units, diff, wait. */
  readonly stage: string;
  readonly doneBytes?: number;
  readonly totalBytes?: number;
  readonly message?: string;
}

export type OnProgress = (progress: Progress) => void;

export interface WorkOptions {
  readonly onProgress: OnProgress;
  readonly signal: AbortSignal;
}
