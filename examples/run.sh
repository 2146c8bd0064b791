#!/bin/sh
# Installs what is missing, builds, and runs the main job: sh examples/run.sh [DATA]
# A run that was stopped goes on where it was; build/run holds its log, results and pictures.
set -eu
data=${1:-}
# A relative DATA is the caller's, not ours.
case $data in '' | /*) ;; *) data=$PWD/$data ;; esac
cd "$(dirname "$0")/.."
. cmake/setup.sh

# Real images where DATA is given or Debian's Fashion-MNIST can be had, generated ones otherwise.
# Sized to end within some ten minutes on two cores where DATA is not given.
main_job() {
  fashion=/usr/share/datasets/fashion-mnist
  if [ -n "$data" ]; then
    set -- --data "$data" --epochs 20 --lr 0.3 --weight-decay 1e-4
  else
    if [ ! -d "$fashion" ] && command -v apt-get >/dev/null 2>&1; then
      setup_install apt-get dataset-fashion-mnist ||
        echo "run: no Fashion-MNIST, images are generated" >&2
    fi
    set -- --epochs 8 --limit-train 20000 --limit-test 5000 --attacked 500
    [ ! -d "$fashion" ] || set -- --data "$fashion" "$@"
  fi
  build/release/examples/hcl-cifar main --out build/run "$@"
}

setup build examples
setup pictures || echo "run: without gnuplot there will be no pictures" >&2
if [ ! -f build/release/CMakeCache.txt ]; then
  # The job needs neither the tests nor the benches: a first build goes without them.
  cmake --preset release -DHCL_BUILD_TESTS=OFF -DHCL_BUILD_BENCH=OFF
fi
cmake --build --preset release --target hcl-cifar
main_job
