/**
 * What lintian and rpmlint are not asked about, each with its reason. Both judge packages for a distribution's own
 * archive; these are for one's own fleet.
 */
export const lintianExceptions: Readonly<Record<string, string>> = {
  "initial-upload-closes-no-bugs": "no upload to Debian: there is no bug of ours to close",
  "package-installs-apt-sources":
    "a keyring package here is for the fleet of one publisher, and that is its job",
  "statically-linked-binary": "kgr must work before and after any upgrade of a library",
  "unknown-field":
    "Kgraft-Kernel, Kgraft-CVE, Kgraft-Fixes: apt knows of no advisories, so they travel in fields",
};

export const rpmlintExceptions: Readonly<Record<string, string>> = {
  "invalid-license": "SPDX expressions, which this rpmlint's list does not know yet",
  "no-binary": "the metapackage is of one processor's kernels, so it is not noarch",
  "no-documentation": "a live patch is described by its manifest and its changelog",
  "no-signature": "packages are signed when they are published",
  "no-url-tag": "the packages are the fleet's own; there is no page about them",
  "statically-linked-binary": "kgr must work before and after any upgrade of a library",
  "position-independent-executable-suggested": "goes with the static binary",
  "no-manual-page-for-binary": "kgr(1) and klp(1) are there: it looks in section 8 for what is in /usr/sbin",
  "manpage-not-compressed": "gzip, as everywhere but in the distribution whose rules these are",
  "module-without-depmod-postin":
    "nothing finds a live patch by an alias or a dependency: kgr loads it by its path",
  "module-without-depmod-postun": "the same",
  "only-non-binary-in-usr-lib": "systemd, dracut and initramfs-tools look for what is theirs there",
  "requires-on-release": "a live patch is for exactly one build of the kernel",
  "unstripped-binary-or-object": "the kernel links a module by its symbols",
};
