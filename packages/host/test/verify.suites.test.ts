import { describeVerify } from "./verify.ts";

describeVerify("trixie");
describeVerify("sid");
