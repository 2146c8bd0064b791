#!/bin/sh
# Measures hcl beside PyTorch in one run and prints the table: sh bench/peers/run.sh [--rows N ...]
# Sets up what it needs (Debian's PyTorch, oneDNN, an OpenMP OpenBLAS) through the package manager.
set -eu
cd "$(dirname "$0")/../.."
. cmake/setup.sh
setup build bench peers
work=build/peers
mkdir -p $work
if [ ! -e $work/blas/libblas.so.3 ]; then
  (cd $work && apt-get download libopenblas0-openmp && dpkg -x libopenblas0-openmp_*.deb unpacked)
  mkdir -p $work/blas
  cp $work/unpacked/usr/lib/*/openblas-openmp/*.so.* $work/blas/
fi
cc -O2 -shared -fPIC bench/peers/sgemm_dnnl.c -o $work/libsgemm_dnnl.so -ldnnl
cmake --preset release
cmake --build --preset release --target bench_loss
/usr/bin/python3 bench/peers/torch_losses.py --impl analytic --n 512 --check
exec /usr/bin/python3 bench/peers/losses.py --bench build/release/bench/bench_loss \
  --blas "$PWD/$work/blas" --sgemm "$PWD/$work/libsgemm_dnnl.so" "$@"
