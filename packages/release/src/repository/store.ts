/**
 * Where a repository lives: a folder, or a bucket of any S3 API. A store keeps whole files by name, and knows two
 * kinds of them. A *lasting* file never changes: its name tells its contents (a package's version, a hash), so it
 * may be written twice and cached for ever. A *pointer* is what clients ask first (InRelease, repomd.xml); it changes
 * in one step, from whole to whole.
 */
export interface Store {
  /** As the user named it. */
  readonly name: string;
  /** The file, or undefined where there is none. @throws StoreFailed, also for more than so many bytes */
  readonly read: (path: string, limitBytes?: number) => Promise<StoredFile | undefined>;
  readonly writeLasting: (path: string, bytes: Uint8Array) => Promise<void>;
  /**
   * Replaces a pointer. `seen` is what was read under that name before, where another writer must not have been
   * there in between. @throws RepositoryBusy
   */
  readonly writePointer: (path: string, bytes: Uint8Array, seen?: Seen) => Promise<void>;
  /**
   * Replaces pointers in one folder that belong together, at once where the store can: in a folder. In a bucket they
   * are written in this order, one right after the other.
   */
  readonly writeTogether: (folder: string, files: readonly NamedFile[]) => Promise<void>;
  readonly has: (path: string) => Promise<boolean>;
  readonly remove: (path: string) => Promise<void>;
  /** Keeps other writers out, where the store can. @throws RepositoryBusy */
  readonly lock: () => Promise<Lock>;
}

export type NamedFile = readonly [name: string, bytes: Uint8Array];

export interface Lock extends AsyncDisposable {
  /** @throws RepositoryBusy where it was lost in between */
  readonly check: () => void;
}

export interface StoredFile {
  readonly bytes: Buffer;
  /** What tells this state of the file from others, where the store has such a thing. */
  readonly tag: string | undefined;
}

export interface Seen {
  readonly file: StoredFile | undefined;
}

/** No file of a repository is larger: a package with a whole kernel's debug data is smaller. */
export const fileLimitBytes: number = 512 << 20;
