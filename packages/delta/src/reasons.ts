/** Why a change cannot become a live patch, or what is lost when it does. A verdict carries all of them. */
export interface Reason {
  /** Stable word for scripts and tests. */
  readonly code: ReasonCode;
  /** The symbol or section that the reason is about. */
  readonly subject: string;
  /** What is the matter, in a sentence that stands alone. */
  readonly message: string;
  /** What an author can do. */
  readonly hint?: string;
}

export type ReasonCode =
  | "changed-data"
  | "changed-section"
  | "changed-init"
  | "left-out"
  | "moved-symbol"
  | "no-traced-entry"
  | "unknown-symbol"
  | "ambiguous-symbol"
  | "ambiguous-static"
  | "ambiguous-place"
  | "sealed-function"
  | "thread-function"
  | "unreachable-key"
  | "unresolved-reference"
  | "unsupported-relocation"
  | "unsupported-section"
  | "relocation-in-alternative"
  | "not-split"
  | "grouped-section"
  | "reaches-init"
  | "nameless-data";
