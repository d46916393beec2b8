import { describeLivePatches } from "./live-patch.ts";

describeLivePatches("trixie");
describeLivePatches("sid");
