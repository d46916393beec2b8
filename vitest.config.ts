import { defineConfig, type ViteUserConfig } from "vitest/config";

// unit: beside the source, no kernel needed, the quick gate. system: packages/*/test, real kernels, compilers and
// guests, two files at a time: a guest runs its processors in turn and takes one of the machine's. Only by
// npm run test:all: suites, as system, with kernels of other suites than this machine's; and long, whole Debians that
// start again and again, machines that lose their power at every step, the kernel's own tests. endurance, by
// npm run test:endurance: a thousand rounds, and each scene on the kernels of other suites.
const system = {
  testTimeout: 600_000,
  hookTimeout: 1_200_000,
};
const ofSuites = "packages/*/test/**/*suites.test.ts";
const long = "packages/*/test/**/*.long.test.ts";
const endurance = "packages/*/test/**/*.endurance.test.ts";
const config: ViteUserConfig = defineConfig({
  test: {
    maxWorkers: 2,
    projects: [
      { test: { name: "unit", include: ["packages/*/src/**/*.test.ts"], testTimeout: 60_000 } },
      {
        test: {
          name: "system",
          include: ["packages/*/test/**/*.test.ts"],
          exclude: [ofSuites, long, endurance],
          ...system,
        },
      },
      { test: { name: "suites", include: [ofSuites], ...system } },
      { test: { name: "long", include: [long], ...system } },
      { test: { name: "endurance", include: [endurance], ...system } },
    ],
  },
});

export default config;
