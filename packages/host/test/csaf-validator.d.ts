// @secvisogram/csaf-validator-lib comes without types of its own.
declare module "@secvisogram/csaf-validator-lib/basic.js" {
  type Test = (document: unknown) => unknown;
  const tests: Readonly<Record<string, Test>>;
  export = tests;
}

declare module "@secvisogram/csaf-validator-lib/validate.js" {
  interface Outcome {
    readonly isValid: boolean;
    readonly tests: readonly {
      readonly name: string;
      readonly errors: readonly unknown[];
      readonly warnings: readonly unknown[];
    }[];
  }
  export default function validate(tests: readonly unknown[], document: unknown): Promise<Outcome>;
}
