#!/bin/sh
# Holds the examples' networks to PyTorch's, from the same weights: sh bench/peers/agree.sh
set -eu
cd "$(dirname "$0")/../.."
. cmake/setup.sh
setup build bench examples peers
mkdir -p build/peers
cmake --preset release
cmake --build --preset release --target agree
exec /usr/bin/python3 bench/peers/agree.py "$@"
