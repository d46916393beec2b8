import { expect, test } from "vitest";
import { makeMachine } from "../../test/machine.ts";
import { readProducts } from "./products.ts";

const debian =
  'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nID=debian\nVERSION_CODENAME=bookworm\nHOME_URL=https://d/\n';
const csv =
  "version,codename,series,created,release,eol,eol-lts\n12,Bookworm,bookworm,2021-08-14,2023-06-10,2026-07-11,2028-06-30\n" +
  "15,Duke,duke,2027-08-01\n";
const product = { name: "debian", summary: "Debian GNU/Linux 12 (bookworm)", kind: "base", codestream: null };

test.each([
  ["that nothing tells of", { "/etc/os-release": debian }, { ...product, end: "unknown", url: "https://d/" }],
  [
    "with distro-info-data",
    { "/usr/lib/os-release": debian, "/usr/share/distro-info/debian.csv": csv },
    { ...product, end: "2026-07-11", url: "https://d/" },
  ],
  [
    "with an end of its own",
    {
      "/etc/os-release": `${debian}SUPPORT_END=2026-08-01\nSUPPORT_URL='https://s/'\n`,
      "/usr/share/distro-info/debian.csv": csv,
    },
    { ...product, end: "2026-08-01", url: "https://s/" },
  ],
  [
    "without an end yet",
    {
      "/etc/os-release": debian.replace("bookworm\n", "duke\n"),
      "/usr/share/distro-info/debian.csv": csv,
    },
    { ...product, end: "unknown", url: "https://d/" },
  ],
])("readProducts() reads a distribution %s", (_, files, wanted) => {
  expect(readProducts(makeMachine(files).system)).toEqual([wanted]);
});

test("readProducts() reads /etc/products.d: an end, an empty one, none; what is no product is left out", () => {
  const { system } = makeMachine({
    "/etc/os-release": debian,
    "/etc/products.d/a.prod":
      "<product><vendor>SUSE</vendor><name>sle-live-patching</name><endoflife/><register><flavor>extension</flavor>" +
      "</register><summary>Live &amp; Patching</summary><codestream><name>SLE 12</name>\n<endoflife>2027-10-31</endoflife>" +
      "</codestream></product>",
    "/etc/products.d/b.prod":
      "<product><vendor>openSUSE</vendor><name>m</name><flavor>module</flavor></product>",
    "/etc/products.d/c.prod": "<product><name>other</name><endoflife>2027-01-01</endoflife></product>",
    "/etc/products.d/d.prod": "no product",
    "/etc/products.d/readme": "<product><name>x</name></product>",
  });
  expect(readProducts(system)).toEqual([
    { ...product, end: "unknown", url: "https://d/" },
    {
      name: "sle-live-patching",
      summary: "Live & Patching",
      kind: "extension",
      end: "unknown",
      codestream: { name: "SLE 12", end: "2027-10-31" },
      url: "https://www.suse.com/lifecycle",
    },
    {
      name: "m",
      summary: "m",
      kind: "module",
      end: "never",
      codestream: null,
      url: "https://en.opensuse.org/Lifetime",
    },
    { name: "other", summary: "other", kind: "other", end: "2027-01-01", codestream: null, url: null },
  ]);
});
