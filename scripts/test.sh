#!/bin/sh
# test.sh [--suites | --all | --endurance]: static checks, unit tests, and the tests with real kernels, compilers and
# guests; with --suites also those with kernels of other suites than this machine's, with --all the long ones too; with --endurance only what takes
# longest of all. Installs what this machine lacks (kgraft doctor says what) and fetches the kernels; both are kept for
# the next time.
set -eu
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
. "$root/scripts/node-env.sh"
cd "$root"
./kgraft doctor --install
. "$root/scripts/test-tools.sh"
scripts/static.sh
mkdir -p build
result=0
projects="--project unit --project system"
case ${1-} in
  --suites) projects="$projects --project suites" ;;
  --all) projects="$projects --project suites --project long" ;;
  --endurance) projects="--project endurance" ;;
esac
# shellcheck disable=SC2086 # a list of words
vitest run $projects --reporter=default --reporter=json --outputFile.json=build/tests.json || result=$?
node -e '
  const report = JSON.parse(require("fs").readFileSync("build/tests.json", "utf8"));
  // A file can fail without a test of it: when what its tests stand on does.
  const files = report.testResults.filter((file) => file.status === "failed" && file.assertionResults.every((test) => test.status !== "failed"));
  const failed = report.numFailedTests + files.length;
  console.log(`${report.numPassedTests} passed, ${failed} failed`);
'
exit $result
