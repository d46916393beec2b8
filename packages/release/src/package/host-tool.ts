/**
 * The package `kgr`: the tool on the patched machine with its units, hooks, completions, manual pages and settings.
 * What lies in the host room's `etc/` is laid out as on the machine and is packaged as it lies.
 */
import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import type {
  PackageDescription,
  PackagedFile,
  PackageFile,
  PackageFormat,
  Scriptlets,
} from "./description.ts";
import type { PackageRequest } from "./live-patch.ts";
import { runTool, type Work } from "./run.ts";
import { writePackages } from "./write.ts";

export interface HostToolRequest extends PackageRequest {
  /** The static binary. */
  readonly binary: string;
  /** A folder with files as they lie on the machine. */
  readonly tree: string;
  /** Manual pages by where they go, such as `man1/kgr.1` or `zh_TW/man1/kgr.1`. */
  readonly manualPages: Readonly<Record<string, string>>;
  readonly version: string;
  readonly revision: string;
  readonly architecture: "amd64" | "ppc64el";
}

/** Where each shell looks, by format where they differ. */
const completions: readonly {
  readonly shell: string;
  readonly path: string;
  readonly only?: PackageFormat;
}[] = [
  { shell: "bash", path: "/usr/share/bash-completion/completions/kgr" },
  { shell: "fish", path: "/usr/share/fish/vendor_completions.d/kgr.fish" },
  { shell: "zsh", path: "/usr/share/zsh/vendor-completions/_kgr", only: "deb" },
  { shell: "zsh", path: "/usr/share/zsh/site-functions/_kgr", only: "rpm" },
];

/** What only one of the formats has a use for. */
const debOnly = /^\/(?:etc\/apt|etc\/initramfs-tools|usr\/share\/initramfs-tools)\//;
const unitFolder = "/usr/lib/systemd/system/";

/** @throws as makePackage */
export async function makeHostTool(request: HostToolRequest, work: Work): Promise<readonly PackageFile[]> {
  const tree = await filesBelow(request.tree);
  const files: readonly PackagedFile[] = [
    { path: "/usr/sbin/kgr", source: request.binary, mode: 0o755 },
    ...tree,
    ...(await completionFiles(request.binary, work)),
    ...(await Promise.all(Object.entries(request.manualPages).map(manualPage))),
  ];
  const units = await readUnits(tree);
  return writePackages(describe(request, files, units), request, work);
}

function describe(
  request: HostToolRequest,
  files: readonly PackagedFile[],
  units: Units,
): PackageDescription {
  const { version, revision, maintainer, dateSeconds } = request;
  return {
    names: { deb: "kgr", rpm: "kgr" },
    version,
    revision,
    architecture: request.architecture,
    section: "admin",
    summary: "live patches of the running kernel",
    description: [
      "kgr shows, loads, watches and takes back the live patches of the running Linux kernel: replacement functions that take effect without a restart. It speaks the words of SUSE's kGraft.",
      "The packages of live patches use it to put themselves into force, and its units do so when the machine starts.",
    ],
    deb: { Depends: "kmod" },
    // The initramfs that loads live patches early.
    debTriggers: ["activate-noawait update-initramfs"],
    rpm: [["Requires", "kmod"]],
    files,
    links: [
      { path: "/usr/sbin/klp", target: "kgr" },
      ...Object.keys(request.manualPages).map((place) => ({
        path: `/usr/share/man/${place.replace("kgr.1", "klp.1")}.gz`,
        target: "kgr.1.gz",
      })),
    ],
    folders: ["/etc/kgr", "/usr/lib/kgr"],
    scriptlets: scriptletsOf(units),
    changelog: [
      {
        version: `${version}-${revision}`,
        changes: [`kgr ${version}`],
        maintainer,
        dateSeconds,
        isSecurity: false,
      },
    ],
    copyright,
    license: "GPL-2.0-or-later AND MIT",
    maintainer,
    dateSeconds,
  };
}

const copyright = `kgr, the tool for the live patches of the running Linux kernel, with the QuickJS runtime in it.

Copyright: 2026 the authors of kgraft; QuickJS: 2017-2025 Fabrice Bellard and Charlie Gordon.
License: GPL-2.0-or-later; QuickJS: MIT.

On Debian systems the text of the GNU General Public License, version 2, is in /usr/share/common-licenses/GPL-2.

QuickJS:

Permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated
documentation files (the "Software"), to deal in the Software without restriction, including without limitation the
rights to use, copy, modify, merge, publish, distribute, sublicense, and/or sell copies of the Software, and to permit
persons to whom the Software is furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all copies or substantial portions of the
Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT LIMITED TO THE
WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR
COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR
OTHERWISE, ARISING FROM, OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.
`;

async function filesBelow(folder: string, path = ""): Promise<readonly PackagedFile[]> {
  const entries = await readdir(join(folder, path), { withFileTypes: true });
  const found = entries
    .toSorted((a, b) => (a.name < b.name ? -1 : 1))
    .map(async (entry): Promise<readonly PackagedFile[]> => {
      const at = `${path}/${entry.name}`;
      if (entry.isDirectory()) return filesBelow(folder, at);
      const source = join(folder, at);
      const mode = ((await stat(source)).mode & 0o111) === 0 ? 0o644 : 0o755;
      return [{ path: at, source, mode, ...(debOnly.test(at) && { only: "deb" as const }) }];
    });
  return (await Promise.all(found)).flat();
}

/** The tool itself knows what it completes. */
async function completionFiles(binary: string, work: Work): Promise<readonly PackagedFile[]> {
  const files: PackagedFile[] = [];
  for (const { shell, path, only } of completions) {
    const text = await runTool(binary, ["completion", shell], work);
    files.push({ path, source: Buffer.from(`${text}\n`), ...(only && { only }) });
  }
  return files;
}

async function manualPage([place, source]: readonly [string, string]): Promise<PackagedFile> {
  const text = gzipSync(await readFile(source), { level: 9 });
  return { path: `/usr/share/man/${place}.gz`, source: text };
}

interface Units {
  /** Those that something starts. */
  readonly enabled: readonly string[];
  /** Of these, the ones to start at once: what watches, and what has something to do only when the machine goes down. */
  readonly started: readonly string[];
}

/** Reads from the units themselves what is to become of them. */
async function readUnits(files: readonly PackagedFile[]): Promise<Units> {
  const found = files.filter(({ path }) => path.startsWith(unitFolder));
  const units = await Promise.all(
    found.map(async ({ path, source }) => {
      const text = typeof source === "string" ? await readFile(source, "utf8") : String(source);
      return { name: path.slice(unitFolder.length), text };
    }),
  );
  const enabled = units.filter(({ text }) => /^\[Install\]$/m.test(text));
  const started = enabled.filter(
    ({ name, text }) => !name.endsWith(".service") || !/^ExecStart=/m.test(text),
  );
  return { enabled: enabled.map(({ name }) => name), started: started.map(({ name }) => name) };
}

/**
 * Enables the units as the distribution has it done: by deb-systemd-helper, which also remembers what an
 * administrator has disabled, and by the presets of rpm's distributions. What loads a live patch at boot runs at the
 * next one: a live patch that is installed now puts itself into force.
 */
function scriptletsOf({ enabled, started }: Units): Readonly<Record<PackageFormat, Scriptlets>> {
  if (enabled.length === 0) return { deb: {}, rpm: {} };
  const all = enabled.join(" ");
  const onSystemd = "[ -d /run/systemd/system ]";
  const begin = (invoke: string): string => `if ${onSystemd}; then
    systemctl daemon-reload || :
    ${invoke} start ${started.join(" ")} >/dev/null || :
  fi`;
  return {
    deb: {
      afterInstall: `if [ "$1" = configure ] || [ "$1" = abort-upgrade ] || [ "$1" = abort-remove ]; then
  for unit in ${all}; do
    deb-systemd-helper unmask "$unit" >/dev/null || :
    if deb-systemd-helper --quiet was-enabled "$unit"; then
      deb-systemd-helper enable "$unit" >/dev/null || :
    else
      deb-systemd-helper update-state "$unit" >/dev/null || :
    fi
  done
  ${begin("deb-systemd-invoke")}
fi
`,
      beforeRemove: `if [ "$1" = remove ] && ${onSystemd}; then
  deb-systemd-invoke stop ${started.join(" ")} >/dev/null || :
fi
`,
      afterRemove: `if [ "$1" = purge ]; then
  if command -v deb-systemd-helper >/dev/null; then
    for unit in ${all}; do deb-systemd-helper purge "$unit" >/dev/null || :; done
  fi
  rm -rf /var/lib/kgr
fi
if ${onSystemd}; then systemctl daemon-reload || :; fi
`,
    },
    rpm: {
      afterInstall: `if [ "$1" = 1 ] && command -v systemctl >/dev/null; then
  systemctl --no-reload preset ${all} || :
  ${begin("systemctl")}
fi
`,
      beforeRemove: `if [ "$1" = 0 ] && command -v systemctl >/dev/null; then
  systemctl --no-reload disable ${all} || :
  if ${onSystemd}; then systemctl stop ${started.join(" ")} || :; fi
fi
`,
      afterRemove: `if ${onSystemd}; then systemctl daemon-reload || :; fi
${refreshRamdisks}`,
      atEnd: refreshRamdisks,
    },
  };
}

/** What dracut puts into an initramfs has changed: SUSE collects such wishes, elsewhere dracut is asked itself. */
const refreshRamdisks = `if [ -x /usr/lib/module-init-tools/regenerate-initrd-posttrans ]; then
  mkdir -p /run/regenerate-initrd
  touch /run/regenerate-initrd/all
  /usr/lib/module-init-tools/regenerate-initrd-posttrans || :
elif command -v dracut >/dev/null; then
  dracut --force --regenerate-all --quiet || :
fi
`;
