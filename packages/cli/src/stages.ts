/** What the rooms call their stages, in words for whoever waits. */
import type { OnProgress, Progress } from "@kgraft/kernel";
import type { Board, Stage } from "./board.ts";
import { formatBytes } from "./format.ts";

interface StageWords {
  readonly title: string;
  /** Whether the room's message says more than the title. */
  readonly telling?: true;
  /** The amounts are counts of things, not bytes. */
  readonly counted?: true;
}

type Titles = Readonly<Record<string, StageWords>>;

export const kernelTitles: Titles = {
  wait: { title: "Waiting for another kgraft" },
  index: { title: "Reading the package index" },
  download: { title: "Downloading packages", telling: true },
  unpack: { title: "Unpacking", telling: true },
  toolchain: { title: "Bringing the suite's own compiler", telling: true },
  prepare: { title: "Preparing the source tree" },
  commands: { title: "Asking kbuild for the command of every unit" },
  units: { title: "Reading what every unit is linked into" },
  diff: { title: "Comparing the sources" },
};

export const buildTitles: Titles = {
  read: { title: "Reading the change", telling: true },
  compile: { title: "Compiling before and after", telling: true, counted: true },
  compare: { title: "Comparing with the shipped kernel" },
  link: { title: "Linking the live patch", telling: true },
};

export const planTitles: Titles = {
  ...kernelTitles,
  units: { title: "Compiling and comparing units", telling: true, counted: true },
  link: { title: "Linking the live patch" },
  page: { title: "Writing the page" },
};

export const publishTitles: Titles = {
  read: { title: "Reading the packages", counted: true },
  index: { title: "Writing the indexes" },
  write: { title: "Publishing" },
  clean: { title: "Removing what is out of use" },
};

export const kgrTitles: Titles = {
  download: { title: "Fetching QuickJS, for kgr" },
  compile: { title: "Compiling QuickJS" },
  link: { title: "Linking kgr" },
};

export interface Follower {
  readonly onProgress: OnProgress;
  /** Ends the stage that is shown. */
  readonly done: () => void;
  /** Takes the stage that is shown away: it came to nothing. */
  readonly drop: () => void;
}

/** Shows the stages of one piece of work, one after the other. */
export function follow(board: Board, titles: Titles): Follower {
  let current: { readonly name: string; readonly words: StageWords; readonly stage: Stage } | undefined;
  let last: Progress | undefined;
  const end = (): void => {
    if (current !== undefined) current.stage.done(detailOf(current.words, last));
    current = undefined;
    last = undefined;
  };
  return {
    onProgress(progress) {
      const { stage: name, doneBytes, totalBytes, reusedBytes, message } = progress;
      if (current?.name !== name) {
        end();
        const words = titles[name] ?? { title: name, telling: true };
        const stage = board.stage(words.title, { unit: words.counted === true ? "items" : "bytes" });
        current = { name, words, stage };
      }
      last = progress;
      current?.stage.update({
        ...(doneBytes !== undefined && { done: doneBytes }),
        ...(totalBytes !== undefined && { total: totalBytes }),
        ...(reusedBytes !== undefined && { reused: reusedBytes }),
        ...(message !== undefined && current.words.telling === true && { message }),
      });
    },
    done: end,
    drop() {
      current?.stage.drop();
      current = undefined;
    },
  };
}

function detailOf({ telling, counted }: StageWords, last: Progress | undefined): string {
  const { totalBytes, message = "" } = last ?? {};
  const said = telling === true ? message : "";
  if (totalBytes === undefined) return said;
  if (counted !== true) return formatBytes(totalBytes);
  return totalBytes === 1 ? said : String(totalBytes);
}
