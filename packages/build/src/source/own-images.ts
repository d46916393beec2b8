/**
 * Code that the kernel carries as images of their own: the vDSO, which programs run; the code of real mode, by which a
 * processor wakes; and the purgatory, between two kernels. They were made when the kernel was, are no part of its text,
 * and no function of them can be replaced.
 */
import type { UnitReason } from "../errors.ts";
import type { AssemblyChange } from "./assembly.ts";

const images: readonly { readonly path: RegExp; readonly image: string }[] = [
  { path: /^(lib\/vdso|arch\/x86\/entry\/vdso)\/.*\.[ch]$/, image: "the vDSO" },
  { path: /^arch\/x86\/realmode\/rm\/.*\.[ch]$/, image: "the code of real mode" },
  { path: /^arch\/x86\/purgatory\/.*\.[ch]$/, image: "the purgatory" },
];

/** Headers that code of the kernel and of the vDSO share. */
const shared = /^(include|arch\/x86\/include\/asm)\/vdso\/.*\.h$/;

/**
 * What a change does to these images.
 *
 * @param paths the changed files
 * @param isUnit whether a file is compiled into the kernel itself, as `arch/x86/entry/vdso/vma.c` is
 */
export function changedImages(paths: Iterable<string>, isUnit: (path: string) => boolean): AssemblyChange {
  const reasons: UnitReason[] = [];
  const warnings: UnitReason[] = [];
  for (const path of paths) {
    const about = { unit: path, subject: path };
    const image = isUnit(path) ? undefined : images.find((one) => one.path.test(path))?.image;
    if (image !== undefined) {
      const message = `${path} is compiled into ${image}, an image that the running kernel has: no live patch replaces functions of it`;
      const hint = "leave it out, if the rest of the change stands without it";
      reasons.push({ ...about, code: "own-image", message, hint });
    } else if (shared.test(path)) {
      const message = `${path} is a header of the vDSO too, which stays as it is: see that it does not matter`;
      warnings.push({ ...about, code: "own-image", message });
    }
  }
  return { reasons, warnings };
}
