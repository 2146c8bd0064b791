#!/bin/sh
# Measures hcl beside PyTorch in one run and writes the table of docs/performance.md:
#   sh bench/peers/run.sh [--only TEXT] [--rounds N] [--threads N]
# GEOOPT_DIR, where set, is a checkout of geoopt. Sets up what it needs (Debian's PyTorch,
# oneDNN, an OpenMP OpenBLAS, gnuplot) through the package manager.
set -eu
cd "$(dirname "$0")/../.."
. cmake/setup.sh
setup build bench peers pictures
work=build/peers
mkdir -p $work
if [ ! -e $work/blas/libblas.so.3 ]; then
  (cd $work && apt-get download libopenblas0-openmp && dpkg -x libopenblas0-openmp_*.deb unpacked)
  mkdir -p $work/blas
  cp $work/unpacked/usr/lib/*/openblas-openmp/*.so.* $work/blas/
fi
cc -O2 -shared -fPIC bench/peers/sgemm_dnnl.c -o $work/libsgemm_dnnl.so -ldnnl
cmake --preset release
cmake --build --preset release --target bench_loss bench_maps
/usr/bin/python3 bench/peers/torch_peer.py --check
compare() {
  /usr/bin/python3 bench/peers/compare.py --bench build/release/bench --out $work/results.jsonl \
    --blas "$PWD/$work/blas" --sgemm "$PWD/$work/libsgemm_dnnl.so" "$@"
}
rm -f $work/results.jsonl
compare "$@"
compare --write docs/performance.md
