import { describeChurn } from "./churn.ts";

describeChurn("bookworm");
