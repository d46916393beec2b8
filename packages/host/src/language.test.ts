import { describe, expect, test } from "vitest";
import { makeMachine } from "../test/machine.ts";
import { keysIn, messageKeys } from "../test/message-keys.ts";
import { chooseLanguage, columnsOf, cutToColumns, t } from "./language.ts";
import { traditionalChinese } from "./languages/zh-tw.ts";

const keys = messageKeys();

describe("the Traditional Chinese catalogue", () => {
  test("has every message that kgr may say", () => {
    const missing = [...keys].filter(([key]) => !traditionalChinese.has(key));
    expect(missing.map(([key, place]) => `${place}: ${key}`)).toEqual([]);
    expect(keys.size).toBeGreaterThan(200);
  });

  test("has none that kgr does not say any more", () => {
    expect([...traditionalChinese.keys()].filter((key) => !keys.has(key))).toEqual([]);
  });

  test("puts in the values of each message, and no others", () => {
    const places = (text: string): string[] => (text.match(/\{\d+\}/g) ?? []).toSorted();
    const wrong = [...traditionalChinese].filter(
      ([key, text]) => places(key).join() !== places(text).join() && key !== text,
    );
    expect(wrong).toEqual([]);
  });

  test("keeps the commands that a message says to type", () => {
    const typed = (text: string): string[] => (text.match(/\bkgr [a-z-]+/g) ?? []).toSorted();
    const wrong = [...traditionalChinese].filter(([key, text]) => typed(key).join() !== typed(text).join());
    expect(wrong).toEqual([]);
  });

  test("leaves lines that fit on a terminal of 80 columns", () => {
    const long = [...keys.keys()].filter((key) => key.includes("\n") && !key.includes("{"));
    const lines = long.flatMap((key) => (traditionalChinese.get(key) ?? "").split("\n"));
    expect(lines.filter((line) => columnsOf(line) > 79)).toEqual([]);
  });
});

test("keysIn() reads messages as they are looked up", () => {
  const source = "say(t`a ${b({ c: 1 })} \\`d\\`\\n`, n`plain`, last`no`)";
  expect(keysIn(source).map(({ key }) => key)).toEqual(["a {0} `d`\n", "plain"]);
});

describe("chooseLanguage()", () => {
  test.each([
    [{ LC_MESSAGES: "zh_TW.UTF-8" }, "剩餘 1 個任務"],
    [{ LC_MESSAGES: "zh_TW.utf8" }, "剩餘 1 個任務"],
    [{ LANG: "zh_HK.UTF-8" }, "剩餘 1 個任務"],
    [{ LC_MESSAGES: "zh_TW.UTF-8", LANG: "en_US.UTF-8" }, "剩餘 1 個任務"],
    [{ LC_ALL: "C", LC_MESSAGES: "zh_TW.UTF-8" }, "1 task left"],
    [{ LC_ALL: "", LC_MESSAGES: "", LANG: "zh_TW.UTF-8" }, "剩餘 1 個任務"],
    [{ LC_MESSAGES: "zh_TW" }, "1 task left"],
    [{ LC_MESSAGES: "zh_TW.Big5" }, "1 task left"],
    [{ LC_MESSAGES: "zh_CN.UTF-8" }, "1 task left"],
    [{ LC_MESSAGES: "../../etc/passwd" }, "1 task left"],
    [{}, "1 task left"],
  ])("with %o says %s", async (environment, said) => {
    const machine = makeMachine({});
    Object.assign(machine.environment, environment);
    await chooseLanguage(machine.system, false);
    expect(t`1 task left`).toBe(said);
    await chooseLanguage(machine.system, true);
    expect(t`1 task left`).toBe("1 task left");
  });
});

test("t`` puts values in as they are, places in them too", () => {
  expect(t`${"{1}"} and ${null} and ${2}`).toBe("{1} and null and 2");
});

test("cutToColumns() counts Chinese characters twice, and cuts none in half", () => {
  expect(columnsOf("核心 kgr（1）")).toBe(13);
  expect(cutToColumns("核心 kgr", 3)).toBe("核");
  expect(cutToColumns("核心 kgr", 6)).toBe("核心 k");
  expect(cutToColumns("", 5)).toBe("");
});
