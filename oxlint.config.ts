/**
 * Lint rules. The first table is the import table of the rooms (ARCHITECTURE.md): each room may import the
 * doors named here and nothing else of the project. scripts/lint-fixture breaks it on purpose, and
 * scripts/check.sh wants that refused.
 */
const mayImport: Readonly<Record<string, readonly string[]>> = {
  elf: [],
  contract: [],
  delta: ["elf"],
  kernel: ["elf"],
  build: ["elf", "delta", "kernel", "kernel/files", "contract"],
  plan: ["elf", "kernel", "build", "contract"],
  lab: ["kernel", "contract"],
  host: ["contract"],
  release: ["contract"],
  // host/build is what makes the binary kgr: a door of its own, because the room itself runs on QuickJS.
  // build/engine is the difference engine alone, kernel/files what it needs of that room: for who would not load the rest.
  cli: [
    "elf",
    "delta",
    "kernel",
    "build",
    "build/engine",
    "kernel/files",
    "plan",
    "lab",
    "release",
    "contract",
    "host/build",
  ],
};

/** Rooms without file system, process, clock or network: bytes in, values out. `host` runs on QuickJS. */
const withoutNode: ReadonlySet<string> = new Set(["elf", "delta", "contract", "host"]);

function room(name: string, allowed: readonly string[]): object {
  const patterns: object[] = [
    {
      group: ["@kgraft/*", ...allowed.map((other) => `!@kgraft/${other}`)],
      message: `${name} may import ${allowed.join(", ") || "no other room"} (ARCHITECTURE.md, Rooms)`,
    },
    {
      group: [
        "**/packages/**",
        "../../../*",
        "@kgraft/*/**",
        ...allowed.filter((other) => other.includes("/")).map((other) => `!@kgraft/${other}`),
      ],
      message: "a room's only public door is its src/mod.ts, imported as @kgraft/<room>",
    },
  ];
  if (withoutNode.has(name)) {
    patterns.push({
      group: ["node:*"],
      message: `${name} has no system of its own (ARCHITECTURE.md, Rooms)`,
    });
  }
  return {
    files: [`**/packages/${name}/src/**/*.ts`],
    rules: { "no-restricted-imports": ["error", { patterns }] },
  };
}

const config: object = {
  plugins: ["typescript", "import", "unicorn", "oxc", "vitest"],
  categories: { correctness: "error", suspicious: "error", perf: "error" },
  rules: {
    "import/no-cycle": "error",
    "import/no-default-export": "error",
    "typescript/no-explicit-any": "error",
    "typescript/no-non-null-assertion": "off",
    "typescript/switch-exhaustiveness-check": "error",
    "typescript/no-floating-promises": "error",
    "typescript/no-unsafe-type-assertion": "off",
    "typescript/consistent-type-imports": "error",
    eqeqeq: "error",
    "max-lines": ["error", { max: 500 }],
    "max-lines-per-function": ["error", { max: 70, skipBlankLines: true, skipComments: true }],
    // Exhaustive switches return in each case; the compiler (noImplicitReturns) holds the rest.
    "typescript/consistent-return": "off",
    "oxc/no-map-spread": "off",
    // One await after the other is the rule here: stages build on each other.
    "no-await-in-loop": "off",
    // `import "x.ts"` for its effect is how the entry points of the commands are started.
    "import/no-unassigned-import": "off",
  },
  overrides: [
    ...Object.entries(mayImport).map(([name, allowed]) => room(name, allowed)),
    {
      files: ["**/*.test.ts", "packages/*/test/**/*.ts"],
      rules: {
        "max-lines-per-function": "off",
        "no-restricted-imports": "off",
        // Fixtures and helpers of one describe() stand in it.
        "unicorn/consistent-function-scoping": "off",
        // A property of fast-check throws when it does not hold.
        "vitest/expect-expect": ["error", { assertFunctionNames: ["expect", "fc.assert"] }],
      },
    },
    { files: ["*.config.ts"], rules: { "import/no-default-export": "off" } },
  ],
};

export default config;
