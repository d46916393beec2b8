/** How far a publication came, for whoever waits. */
export interface PublishProgress {
  readonly stage: "read" | "index" | "write" | "clean";
  /** Packages, though the name says bytes: what the stages of all rooms are told by. */
  readonly doneBytes?: number;
  readonly totalBytes?: number;
}

export interface PublishOptions {
  readonly onProgress?: (progress: PublishProgress) => void;
  readonly signal: AbortSignal;
}
