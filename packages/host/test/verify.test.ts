import { describeVerify } from "./verify.ts";

describeVerify("bookworm");
