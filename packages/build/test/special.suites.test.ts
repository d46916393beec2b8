import { describeSpecialSections } from "./special.ts";

describeSpecialSections("trixie");
describeSpecialSections("sid");
