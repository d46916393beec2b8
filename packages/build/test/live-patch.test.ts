import { describeLivePatches } from "./live-patch.ts";

describeLivePatches("bookworm");
