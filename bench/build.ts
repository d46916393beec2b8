/** What `kgraft build` costs beside gcc and make. usage: bench/build.ts [ROUNDS] */
import { buildTimes } from "./build/times.ts";

const rounds = Number(process.argv[2] ?? 5);
const times = await buildTimes(rounds);
console.log(`kgraft build beside gcc and make, medians of ${rounds} alternating runs`);
console.log(
  `${"".padEnd(36)}${"time".padStart(9)}${"of gcc once".padStart(14)}${"of gcc once + module".padStart(23)}`,
);
for (const { name, ms, ofGccOnce, ofGccAndModule } of times) {
  console.log(
    `${name.padEnd(36)}${`${(ms / 1000).toFixed(2)} s`.padStart(9)}${`${ofGccOnce.toFixed(2)} x`.padStart(14)}${`${ofGccAndModule.toFixed(2)} x`.padStart(23)}`,
  );
}
