#!/bin/sh
# Installs what is missing, builds everything and passes all tests.
# Arguments go to cmake's configure step: sh tests/run.sh -DHCL_NATIVE=OFF
set -eu
cd "$(dirname "$0")/.."
. cmake/setup.sh

setup build tests bench examples
cmake --preset release "$@"
cmake --build --preset release
ctest --preset release -j "$(jobs)"
