import { BadRequest } from "./errors.ts";

/**
 * The package that holds the source of a kernel version: `6.1.192-1` is in version 6.1.192-1 of linux-source-6.1.
 * A rebuild of binaries alone (`+b1`) has the source of what it rebuilds.
 */
export function sourcePackage(version: string): { readonly name: string; readonly version: string } {
  const match = /^(\d+\.\d+)[.~-][A-Za-z0-9.+~-]+$/.exec(version);
  if (match === null) throw new BadRequest("kernel version", version, "a package version such as 6.1.192-1");
  return { name: `linux-source-${match[1]}`, version: version.replace(/\+b\d+$/, "") };
}
