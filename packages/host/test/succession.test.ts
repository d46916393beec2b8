import { describeSuccession } from "./succession.ts";

describeSuccession({ suite: "bookworm", rounds: 40 });
