/**
 * A report as `zypper lifecycle` prints it (SUSE/zypper-lifecycle, as of SUSE Linux Enterprise 12), to the letter: scripts
 * read it, so it is the same in every language, and the blanks at the ends of lines stand there too.
 */
import type { LifecyclePackage, LifecycleProduct, LifecycleReport, SupportEnd } from "@kgraft/contract";
import { rankOf } from "./end.ts";
import { timeText } from "./saved.ts";

/** A report of products and packages. */
export function reportText(report: LifecycleReport): string {
  const { before, products, packages } = report;
  const since = report.since === null ? null : timeText(Date.parse(report.since) / 1000);
  return [
    since === null ? "" : `Reporting changes since ${since}\n`,
    products.length === 0 ? noProducts(before, since) : productsText(products, before),
    packages.length === 0
      ? noPackages(report, since)
      : `\nPackage end of support${before === null ? " if different from product" : ` before ${before}`}:\n`,
    ...packages.map(packageRow),
    footnotes(report),
  ].join("");
}

/** A report of packages that were asked for by name, in the order of the names. */
export function namedReportText(report: LifecycleReport, names: readonly string[]): string {
  const rows = names.flatMap((name) =>
    report.notInstalled.includes(name)
      ? [`${name} is not installed\n`]
      : report.packages.filter((one) => one.name === name).map(packageRow),
  );
  return `\nPackage end of support:\n${rows.join("")}${footnotes(report)}`;
}

function noProducts(before: string | null, since: string | null): string {
  return before === null
    ? `\nNo products${since === null ? "" : ` changed since ${since}`}.\n`
    : `\nNo products whose support ends before ${before}.\n`;
}

function noPackages({ before, packagesNotListed }: LifecycleReport, since: string | null): string {
  if (before === null) {
    return `\nNo packages with end of support different from product${since === null ? "" : ` changed since ${since}`}.\n`;
  }
  return packagesNotListed > 0
    ? "\nNo packages with end of support different from product.\n"
    : `\nNo packages whose support ends before ${before}.\n`;
}

const sections = [
  { kind: "base", heading: "Product" },
  { kind: "module", heading: "Module" },
  { kind: "extension", heading: "Extension" },
] as const;

function productsText(products: readonly LifecycleProduct[], before: string | null): string {
  const what = `end of support${before === null ? "" : ` before ${before}`}`;
  return sections
    .map(({ kind, heading }) => {
      const own = sorted(products.filter((product) => product.kind === kind));
      return own.length === 0 ? "" : `\n${productRow(`${heading} ${what}`, "")}${rowsOf(own)}`;
    })
    .join("");
}

function sorted(products: readonly LifecycleProduct[]): readonly LifecycleProduct[] {
  return products.toSorted((a, b) => {
    const [first, second] = [codestreamOf(a), codestreamOf(b)];
    return first === second ? rankOf(a.end) - rankOf(b.end) : first < second ? -1 : 1;
  });
}

function codestreamOf({ codestream }: LifecycleProduct): string {
  return codestream?.name ?? "";
}

/** Each codestream's name stands once, before its products. */
function rowsOf(products: readonly LifecycleProduct[]): string {
  return products
    .map(({ summary, end, codestream, url }, at) => {
      if (codestream === null) {
        return productRow(summary, endText(end, url));
      }
      const isFirst = products[at - 1]?.codestream?.name !== codestream.name;
      const head = isFirst ? productRow(`Codestream: ${codestream.name}`, endText(codestream.end, url)) : "";
      return `${head}${productRow(`    Product: ${summary}`, endText(end, url))}`;
    })
    .join("");
}

function productRow(name: string, end: string): string {
  return `${name.padEnd(55)} ${end}\n`;
}

function packageRow({ name, version, versions, end, update, successor, url }: LifecyclePackage): string {
  const shown = versions === null || versions === "*" ? name : `${name}-${versions}`;
  const [more, updateEnd] =
    successor !== null
      ? [`, installed ${version}, successor available ${successor.name}-${successor.version}`, ""]
      : update !== null
        ? [`, installed ${version}, update available ${update.version}`, dayOnly(update.end)]
        : ["", ""];
  return `${shown.padEnd(40)} ${`${endText(end, url)}${more}`.padEnd(40)} ${updateEnd}\n`;
}

function dayOnly(end: SupportEnd): string {
  return end === "never" || end === "unknown" ? "" : endText(end, null);
}

function endText(end: SupportEnd, url: string | null): string {
  switch (end) {
    case "now":
      return "Now";
    case "never":
      return "-";
    case "unknown":
      return url === null ? "n/a" : "n/a*";
    default:
      return end;
  }
}

/** Where the vendors of what is n/a tell more; then an empty line. */
function footnotes({ products, packages }: LifecycleReport): string {
  const unknown = [
    ...products.filter(({ end, codestream }) => end === "unknown" || codestream?.end === "unknown"),
    ...packages.filter(({ end }) => end === "unknown"),
  ];
  const urls = new Set(unknown.flatMap(({ url }) => (url === null ? [] : [url])));
  return `${[...urls].map((url) => `\n*) See ${url} for latest information`).join("")}\n`;
}
