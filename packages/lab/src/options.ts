/** The kernel a guest boots; the kernel room's KernelTree has these fields. */
export interface GuestKernel {
  /** What `uname -r` prints in the guest. */
  readonly release: string;
  /** Path of the bootable image (vmlinuz). */
  readonly image: string;
  /** Path of its `lib/modules/<release>`. */
  readonly modulesDirectory: string;
}

/** One file that is there in the guest from the start. */
export interface GuestFile {
  /** Absolute path in the guest; directories above it are made. */
  readonly path: string;
  /** Path on the host, or the contents. */
  readonly source: string | Uint8Array;
  /** Permission bits, 0o644 where not given. */
  readonly mode?: number;
}

/** Where a piece of output came from. */
export type OutputStream = "stdout" | "stderr";

/** Called with each piece of output as it comes. */
export type OnOutput = (text: string, stream: OutputStream) => void;

/** The disk that a guest runs from, instead of from busybox in its memory. */
export interface GuestRoot {
  /** Holds a file system of type ext4 with a whole system on it; see `openRootDisk`. */
  readonly disk: RootDisk;
  /**
   * The first process: `none` starts nothing of that system, so that the guest takes commands after some seconds;
   * `system` is its own /sbin/init, which goes on starting while the guest takes commands already.
   */
  readonly init: "none" | "system";
  /**
   * Path of the initramfs by which the disk's own system starts, instead of the lab's. It finds the disk by
   * `kernelParameters` (`root=/dev/vda`); it takes commands by the files of `agentFiles`, which lie on the disk already.
   */
  readonly initrd?: string;
  /** Path of an empty file in which each write to the disk is noted; see `readWriteLog`. */
  readonly writeLog?: string;
}

/** A disk that outlives its guests: one after the other may run from it. */
export interface RootDisk extends Disposable {
  readonly descriptor: number;
}

export interface GuestOptions {
  readonly kernel: GuestKernel;
  readonly files?: readonly GuestFile[];
  /** Kernel modules loaded before the first command, with all they depend on. */
  readonly modules?: readonly string[];
  /**
   * Host directory that the guest sees, live and writable, at /share (virtiofs). What the guest writes is on the
   * host at once: with the owner it had in the guest where we are root, else as ours.
   */
  readonly share?: string;
  /** Run from this disk, /dev/vda. `files` are laid into it; `diskSizeBytes` is not given then. */
  readonly root?: GuestRoot;
  /** Size of an empty scratch disk, /dev/vda, that goes away with the guest. */
  readonly diskSizeBytes?: number;
  /** What the disk holds from the start; nothing where not given. Made by the host's mke2fs, with its defaults. */
  readonly diskFileSystem?: "ext4";
  /** 512 where not given. */
  readonly memoryMib?: number;
  /** 2 where not given. */
  readonly cpus?: number;
  /**
   * X.509 certificates, in DER, that the kernel takes into its platform keyring and checks modules by. The guest then
   * starts through UEFI firmware (OVMF), which takes some seconds.
   */
  readonly trustedCertificates?: readonly Uint8Array[];
  /** Put at the end of the kernel command line. */
  readonly kernelParameters?: readonly string[];
  /** Limit for the whole life of the guest. */
  readonly timeoutMs: number;
  /** Abort kills the guest; whatever waits for it rejects with the signal's reason. */
  readonly signal?: AbortSignal;
  /** Called with each line the kernel logs. */
  readonly onConsole?: (line: string) => void;
}
