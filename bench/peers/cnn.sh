#!/bin/sh
# Measures the examples' convolutions and networks beside oneDNN and PyTorch in one run and prints
# the tables: sh bench/peers/cnn.sh [--rounds N ...]
set -eu
cd "$(dirname "$0")/../.."
. cmake/setup.sh
setup build bench examples peers
mkdir -p build/peers
c++ -O2 -std=c++20 bench/peers/conv_dnnl.cpp -o build/peers/conv_dnnl -ldnnl
cmake --preset release
cmake --build --preset release --target bench_conv bench_train
exec /usr/bin/python3 bench/peers/cnn.py "$@"
