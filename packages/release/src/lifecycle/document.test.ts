import { expect, test } from "vitest";
import { lifecycleJson, parseLifecycleJson, parseLifecyclePolicy } from "./document.ts";
import { lifecycleFiles } from "./files.ts";
import { defaultLifecyclePolicy, promise } from "./promise.ts";

const data = promise(null, [{ release: "6.1.0-55-amd64", on: "2026-11-25" }], defaultLifecyclePolicy);
const kernel = data.kernels[0]!; // one was published

test("parseLifecycleJson() reads what lifecycleJson() writes", () => {
  expect(parseLifecycleJson(lifecycleJson(data), "x")).toEqual(data);
  expect(parseLifecycleJson(lifecycleJson({ ...data, kernels: [] }), "x")).toEqual({ ...data, kernels: [] });
});

test.each([
  ["{", "it is no JSON"],
  ["{}", "schema: Invalid input"],
  ['{"schema":"kgraft-lifecycle/2","kernels":[]}', "schema: Invalid input"],
  [lifecycleJson({ ...data, kernels: [{ ...kernel, release: "../x" }] }), "kernels.0.release: Invalid input"],
  [lifecycleJson({ ...data, kernels: [{ ...kernel, packages: [] }] }), "kernels.0.packages: Invalid input"],
  [lifecycleJson({ ...data, kernels: [{ ...kernel, until: "soon" }] }), "kernels.0.until: Invalid input"],
  [
    lifecycleJson({ ...data, kernels: [{ ...kernel, until: "2027-02-30" }] }),
    "kernels.0: there is no day 2027-02-30",
  ],
  [
    lifecycleJson({ ...data, kernels: [kernel, kernel] }),
    "kernels.1: release 6.1.0-55-amd64 stands there twice",
  ],
])("parseLifecycleJson() refuses %.60s", (text, message) => {
  expect(() => parseLifecycleJson(text, "x")).toThrow(
    expect.objectContaining({ name: "BadLifecycleData", message: `cannot read x: ${message}` }),
  );
});

test("parseLifecyclePolicy() reads a policy", () => {
  const policy = { ...defaultLifecyclePolicy, kernels: { "6.1.0-55-amd64": "2027-01-01" } };
  expect(parseLifecyclePolicy(JSON.stringify(policy), "x")).toEqual(policy);
});

test.each([
  [{ ...defaultLifecyclePolicy, months: 0 }, "months: Invalid input"],
  [{ ...defaultLifecyclePolicy, months: 1.5 }, "months: Invalid input"],
  [{ ...defaultLifecyclePolicy, kernels: { a: "2027-02-30" } }, "kernels.a: there is no day 2027-02-30"],
])("parseLifecyclePolicy() refuses %j", (policy, message) => {
  expect(() => parseLifecyclePolicy(JSON.stringify(policy), "x")).toThrow(
    expect.objectContaining({ name: "BadLifecycleData", message: `cannot read x: ${message}` }),
  );
});

test("lifecycleFiles() says it both ways", () => {
  expect(lifecycleFiles(data)).toEqual({
    "lifecycle.json": lifecycleJson(data),
    "kgraft.lifecycle": expect.stringContaining(
      "\nkgraft-patch-6.1.0-55-amd64, *, 2027-11-25\nkgraft-patch-6_1_0-55-amd64, *, 2027-11-25\n",
    ),
  });
});
