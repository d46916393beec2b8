/**
 * The products that a machine has. SUSE's stand in /etc/products.d, a file for each, and any vendor's extension can
 * have one there; on other distributions the base product is what os-release(5) tells, with the end that it gives or
 * that distro-info-data (Debian, Ubuntu) has for it.
 */
import type { LifecycleProduct, SupportEnd } from "@kgraft/contract";
import type { System } from "../system.ts";
import { listNames, readText } from "../text.ts";
import { secondsOfDay } from "./end.ts";
import { elementText } from "./xml.ts";

const folder = "/etc/products.d";

/** Each product once, the base product first. */
export function readProducts(system: System): readonly LifecycleProduct[] {
  const base = basePath(system);
  const files = listNames(system, folder).filter((name) => name.endsWith(".prod"));
  const products = files.flatMap((name) => {
    const text = readText(system, `${folder}/${name}`);
    const product = text === null ? null : parseProduct(text, `${folder}/${name}` === base);
    return product === null ? [] : [product];
  });
  const own = products.some(({ kind }) => kind === "base") ? null : distribution(system);
  return own === null ? products : [own, ...products];
}

/** The link `baseproduct` says which of them is. */
function basePath(system: System): string | null {
  const link = `${folder}/baseproduct`;
  return system.exists(link) ? system.realPath(link) : null;
}

/** A file of /etc/products.d; null for one without a name. */
function parseProduct(text: string, isBase: boolean): LifecycleProduct | null {
  const codestream = elementText(text, "codestream");
  const own = text.replace(/<codestream>.*?<\/codestream>/s, "");
  const name = elementText(own, "name");
  const flavor = elementText(own, "flavor");
  if (name === null || name === "") {
    return null;
  }
  return {
    name,
    summary: elementText(own, "summary") ?? name,
    kind: isBase ? "base" : flavor === "module" || flavor === "extension" ? flavor : "other",
    end: endOf(elementText(own, "endoflife")),
    codestream:
      codestream === null
        ? null
        : { name: elementText(codestream, "name") ?? "", end: endOf(elementText(codestream, "endoflife")) },
    url: urlOf(elementText(own, "vendor") ?? ""),
  };
}

/** None at all is no end; an empty one is still to come. */
function endOf(day: string | null): SupportEnd {
  return day === null ? "never" : secondsOfDay(day) === null ? "unknown" : day;
}

function urlOf(vendor: string): string | null {
  return vendor.startsWith("SUSE")
    ? "https://www.suse.com/lifecycle"
    : vendor.startsWith("openSUSE")
      ? "https://en.opensuse.org/Lifetime"
      : null;
}

/** The base product by os-release(5); null where the machine has none. */
function distribution(system: System): LifecycleProduct | null {
  const text = readText(system, "/etc/os-release") ?? readText(system, "/usr/lib/os-release");
  if (text === null) {
    return null;
  }
  const value = (key: string): string | null => {
    const [, written = ""] = new RegExp(`^${key}=(.*)$`, "m").exec(text) ?? [];
    return written.replace(/^(["'])(.*)\1\s*$/, "$2").trim() || null;
  };
  const name = value("ID") ?? "linux";
  const end = value("SUPPORT_END") ?? distroInfo(system, name, value("VERSION_CODENAME"));
  return {
    name,
    summary: value("PRETTY_NAME") ?? name,
    kind: "base",
    end: endOf(end ?? ""),
    codestream: null,
    url: value("SUPPORT_URL") ?? value("HOME_URL"),
  };
}

/** Column `eol` of a release in distro-info-data; null where that is not installed or does not tell. */
function distroInfo(system: System, name: string, codename: string | null): string | null {
  const text = /^[a-z]+$/.test(name) ? readText(system, `/usr/share/distro-info/${name}.csv`) : null;
  const [head = [], ...rows] = (text ?? "").split("\n").map((line) => line.split(","));
  const [series, eol] = [head.indexOf("series"), head.indexOf("eol")];
  return rows.find((row) => codename !== null && row[series] === codename)?.[eol] ?? null;
}
