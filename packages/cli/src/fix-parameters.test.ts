import { expect, test } from "vitest";
import { parseCvss, parseImpact } from "./fix-parameters.ts";

const vector = "CVSS:3.1/AV:L/AC:L/PR:L/UI:N/S:U/C:H/I:H/A:H";

test("parseCvss() takes the score from the vector", () => {
  expect(parseCvss(`CVE-2026-1=${vector}`)).toEqual({ id: "CVE-2026-1", vector, score: 7.8 });
});

test.each(["", "CVE-2026-1", "CVE-2026-1=7.8", "CVE-2026-1=CVSS:3.1/AV:L"])(
  "parseCvss() refuses %j",
  (text) => {
    expect(() => parseCvss(text)).toThrow(/wanted an identifier/);
  },
);

test("parseImpact() takes the two that are in scope", () => {
  expect(parseImpact("CVE-2026-1=data-corruption")).toEqual({ id: "CVE-2026-1", impact: "data-corruption" });
  expect(() => parseImpact("CVE-2026-1=beauty")).toThrow(/wanted an identifier and stability/);
});
