#!/bin/sh
# Installs what is missing, builds, and runs the main job: sh examples/run.sh [DATA]
set -eu
data=${1:-}
# A relative DATA is the caller's, not ours.
case $data in '' | /*) ;; *) data=$PWD/$data ;; esac
cd "$(dirname "$0")/.."
. cmake/setup.sh

main_job() {
  program=build/release/examples/hcl-cifar
  if [ -n "$data" ]; then "$program" main --data "$data"; else "$program" main; fi
}

setup build examples
setup pictures || echo "run: without gnuplot there will be no pictures" >&2
if [ ! -f build/release/CMakeCache.txt ]; then
  # The job needs neither the tests nor the benches: a first build goes without them.
  cmake --preset release -DHCL_BUILD_TESTS=OFF -DHCL_BUILD_BENCH=OFF
fi
cmake --build --preset release --target hcl-cifar
main_job
