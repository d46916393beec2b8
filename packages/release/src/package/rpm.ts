/**
 * A package of rpm's, by rpmbuild, from a spec file that only says what is there: nothing is compiled, searched for
 * dependencies, stripped or packed anew. Same description, same bytes: the time and the host of the build are set.
 */
import { rename, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { rpmChangelog } from "./changelog.ts";
import { fill } from "./fill.ts";
import type { PackageArchitecture, PackageDescription, Scriptlets } from "./description.ts";
import { runTool, type Work } from "./run.ts";
import { dateFiles, stageFiles } from "./stage.ts";

const architectures: Readonly<Record<PackageArchitecture, string>> = {
  amd64: "x86_64",
  ppc64el: "ppc64le",
  all: "noarch",
};

const scriptNames: Readonly<Record<keyof Scriptlets, string>> = {
  beforeInstall: "%pre",
  afterInstall: "%post",
  beforeRemove: "%preun",
  afterRemove: "%postun",
  atEnd: "%posttrans",
};

export function rpmArchitecture(architecture: PackageArchitecture): string {
  return architectures[architecture];
}

export function rpmFileName({ names, version, revision, architecture }: PackageDescription): string {
  return `${names.rpm}-${version}-${revision}.${architectures[architecture]}.rpm`;
}

/** Writes the package into a folder; `scratch` is an empty folder for what it is made from. @returns its path */
export async function writeRpm(
  description: PackageDescription,
  { directory, scratch }: { readonly directory: string; readonly scratch: string },
  work: Work,
): Promise<string> {
  const staged = join(scratch, "rpm-files");
  await stageFiles(staged, description);
  await dateFiles(staged, description.dateSeconds);
  const spec = join(scratch, `${description.names.rpm}.spec`);
  await writeFile(spec, specText(description, staged));
  const settings: Readonly<Record<string, string>> = {
    _topdir: join(scratch, "rpm"),
    _rpmdir: join(scratch, "rpm-made"),
    _rpmfilename: rpmFileName(description),
    _buildhost: "localhost",
    _binary_payload: "w9.xzdio",
    _source_filedigest_algorithm: "8",
    _binary_filedigest_algorithm: "8",
    _build_id_links: "none",
    use_source_date_epoch_as_buildtime: "1",
    clamp_mtime_to_source_date_epoch: "1",
    // What rpmbuild would do to the files: compress, strip, relocate.
    __os_install_post: "%{nil}",
    debug_package: "%{nil}",
    // As on the machine that the package is for, whatever this one's are.
    _unitdir: "/usr/lib/systemd/system",
  };
  const defines = Object.entries(settings).flatMap(([name, value]) => ["--define", `${name} ${value}`]);
  const target = `${architectures[description.architecture]}-linux`;
  const env = { SOURCE_DATE_EPOCH: String(description.dateSeconds) };
  await runTool("rpmbuild", ["-bb", "--quiet", "--target", target, ...defines, spec], { ...work, env });
  const made = join(scratch, "rpm-made", rpmFileName(description));
  const path = join(directory, basename(made));
  await rename(made, path);
  return path;
}

function specText(description: PackageDescription, staged: string): string {
  const { names, version, revision, summary, license, maintainer } = description;
  const tags: readonly (readonly [string, string])[] = [
    ["Name", names.rpm],
    ["Version", version],
    ["Release", revision],
    ["Summary", summary.charAt(0).toUpperCase() + summary.slice(1)],
    ["License", license],
    ["Group", "System/Kernel"],
    ["Packager", maintainer],
    ["AutoReqProv", "no"],
    ...(description.architecture === "all" ? ([["BuildArch", "noarch"]] as const) : []),
    ...description.rpm,
  ];
  const scripts = Object.entries(scriptNames).flatMap(([when, name]) => {
    const body = description.scriptlets.rpm[when as keyof Scriptlets];
    return body === undefined ? [] : [`${name} -p /bin/sh\n${escaped(body)}`];
  });
  const parts = [
    tags.map(([tag, value]) => `${tag}: ${escaped(value)}\n`).join(""),
    `%description\n${description.description.map((text) => escaped(fill(text, 78, ""))).join("\n")}`,
    `%install\ncp -a ${escaped(staged)}/. %{buildroot}/\n`,
    ...scripts,
    `%files\n${fileLines(description)}`,
    `%changelog\n${rpmChangelog(description.changelog)}`,
  ];
  return parts.join("\n");
}

function fileLines({ files, links, folders }: PackageDescription): string {
  const lines = files.map(({ path, mode = 0o644 }) => {
    const attributes = `%attr(${mode.toString(8).padStart(4, "0")}, root, root)`;
    const kind = path.startsWith("/etc/")
      ? "%config(noreplace) "
      : /^\/usr\/share\/(?:man|doc)\//.test(path)
        ? "%doc "
        : "";
    return `${attributes} ${kind}${escaped(path)}\n`;
  });
  const own = folders.map((path) => `%dir ${escaped(path)}\n`);
  return [...own, ...lines, ...links.map(({ path }) => `${escaped(path)}\n`)].join("");
}

/** rpm expands what begins with a percent sign. */
function escaped(text: string): string {
  return text.replaceAll("%", "%%");
}
