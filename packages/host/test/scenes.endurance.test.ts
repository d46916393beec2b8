import { describeChurn } from "./churn.ts";
import { describeLoad } from "./load.ts";
import { describeSelftests } from "./selftests.ts";
import { describeSuccession } from "./succession.ts";

describeSuccession({ suite: "bookworm", rounds: 1000 });
for (const suite of ["trixie", "sid"] as const) {
  describeLoad(suite);
  describeSuccession({ suite, rounds: 25 });
  describeChurn(suite);
  describeSelftests(suite);
}
