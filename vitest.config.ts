import { defineConfig, type ViteUserConfig } from "vitest/config";

// unit: beside the source, no kernel needed, the quick gate. system: packages/*/test, real kernels,
// compilers and guests, one file at a time because each of them uses the whole machine. suites: as system, with
// kernels of other suites than this machine's (npm run test:all).
const system = {
  fileParallelism: false,
  testTimeout: 600_000,
  hookTimeout: 1_200_000,
};
const ofSuites = "packages/*/test/**/*suites.test.ts";
const config: ViteUserConfig = defineConfig({
  test: {
    projects: [
      { test: { name: "unit", include: ["packages/*/src/**/*.test.ts"], testTimeout: 60_000 } },
      {
        test: { name: "system", include: ["packages/*/test/**/*.test.ts"], exclude: [ofSuites], ...system },
      },
      { test: { name: "suites", include: [ofSuites], ...system } },
    ],
  },
});

export default config;
