// The parts of QuickJS 2025-04-26's own modules that kgr uses (its manual, chapter 3, "Standard library").
// Calls of `qjs:os` answer a negative error number, or a pair of value and error number.

declare const scriptArgs: readonly string[];

declare module "qjs:std" {
  interface File {
    /** null at the end. */
    getline(): string | null;
    puts(text: string): void;
    flush(): void;
    error(): boolean;
    /** 0, or a negative error number. */
    close(): number;
  }
  export { stdin as in };
  export const SEEK_SET: number;
  const stdin: File;
  export const out: File;
  export const err: File;
  export const SEEK_END: number;
  export function open(path: string, mode: string, error: { errno?: number }): File | null;
  export function getenv(name: string): string | undefined;
  export function exit(status: number): never;
}

declare module "qjs:os" {
  export const O_RDONLY: number;
  export const O_WRONLY: number;
  export const SIGINT: number;
  export const SIGTERM: number;
  export const SIGPIPE: number;
  export const WNOHANG: number;
  export function open(path: string, flags: number, mode?: number): number;
  export function close(fd: number): number;
  /** @returns the new offset */
  export function seek(fd: number, offset: number, whence: number): number;
  export function read(fd: number, buffer: ArrayBuffer, offset: number, length: number): number;
  export function seek(fd: number, offset: number, whence: number): number;
  export function write(fd: number, buffer: ArrayBufferLike, offset: number, length: number): number;
  export function isatty(fd: number): boolean;
  export function ttyGetWinSize(fd: number): [columns: number, rows: number] | null;
  export function remove(path: string): number;
  export function rename(from: string, to: string): number;
  export function mkdir(path: string, mode: number): number;
  export function readdir(path: string): [names: string[], errno: number];
  export function realpath(path: string): [path: string, errno: number];
  export const S_IFMT: number;
  export const S_IFREG: number;
  export function stat(
    path: string,
  ): [{ readonly nlink: number; readonly mode: number } | null, errno: number];
  /** `undefined` ignores the signal. */
  export function signal(signal: number, handler: (() => void) | undefined): void;
  export function now(): number;
  export function setTimeout(callback: () => void, delayMs: number): object;
  export function clearTimeout(timer: object): void;
  export function sleepAsync(delayMs: number): Promise<void>;
  export function setReadHandler(fd: number, handler: (() => void) | null): void;
  export function pipe(): [readEnd: number, writeEnd: number] | null;
  export function exec(
    program: string[],
    options: {
      block: boolean;
      usePath: boolean;
      stdout: number;
      stderr: number;
      env: Record<string, string>;
    },
  ): number;
  export function waitpid(pid: number, options: number): [pid: number, status: number];
  export function kill(pid: number, signal: number): number;
  export function getpid(): number;
}
