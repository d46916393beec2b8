import { defineConfig, type ViteUserConfig } from "vitest/config";

// unit: beside the source, no kernel needed, the quick gate. system: packages/*/test, real kernels,
// compilers and guests, one file at a time because each of them uses the whole machine.
const config: ViteUserConfig = defineConfig({
  test: {
    projects: [
      { test: { name: "unit", include: ["packages/*/src/**/*.test.ts"] } },
      {
        test: {
          name: "system",
          include: ["packages/*/test/**/*.test.ts"],
          fileParallelism: false,
          testTimeout: 600_000,
          hookTimeout: 1_200_000,
        },
      },
    ],
  },
});

export default config;
