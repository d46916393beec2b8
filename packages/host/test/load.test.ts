import { describeLoad } from "./load.ts";

describeLoad("bookworm");
