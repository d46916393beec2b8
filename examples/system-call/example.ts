/**
 * A changed system call. The function with the author's code is inlined into the entries for 64-bit and 32-bit
 * programs, or is called by them and cannot be redirected itself: in either case it is the entries that are replaced.
 * Nothing special is to be written.
 */
import type { Example } from "../example.ts";

export const example: Example = {
  patches: {
    other_name: [
      {
        path: "kernel/sys.c",
        find: "\tif (copy_to_user(name, &tmp, sizeof(tmp)))\n\t\treturn -EFAULT;\n\n\tif (override_release(name->release",
        replace:
          '\tstrscpy(tmp.nodename, "patched", sizeof(tmp.nodename));\n\tif (copy_to_user(name, &tmp, sizeof(tmp)))\n\t\treturn -EFAULT;\n\n\tif (override_release(name->release',
      },
    ],
  },
  scenario: [
    { run: "uname -n", prints: "(none)" },
    { load: "other_name" },
    { run: "uname -n", prints: "patched" },
    { revert: "other_name" },
    { run: "uname -n", prints: "(none)" },
  ],
};
