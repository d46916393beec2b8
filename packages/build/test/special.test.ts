import { describeSpecialSections } from "./special.ts";

describeSpecialSections("bookworm");
