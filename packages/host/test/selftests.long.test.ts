import { describeSelftests } from "./selftests.ts";

describeSelftests("bookworm");
