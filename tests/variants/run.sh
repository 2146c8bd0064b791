#!/bin/sh
# Variants of hcl in one program keep apart: two states of the headers, and files compiled with
# other flags. No function of hcl is in two of them under one name, and each gives the same bits
# as alone, whatever the order that they are linked in.
#   sh tests/variants/run.sh FOLDER COMPILER FLAG...      builds in FOLDER
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
folder=$1 compiler=$2
shift 2
mkdir -p "$folder"
cd "$folder"
fail() { echo "$*" >&2; exit 1; }

# part LETTER HEADERS FLAG...    compiles the part; its functions of hcl to LETTER.names
part() {
  letter=$1 headers=$2
  shift 2
  "$compiler" -std=c++20 -O1 -I"$headers" -DNAME="part_$letter" "$@" -c "$here/part.cpp" \
    -o "$letter.o"
  "${NM:-nm}" "$letter.o" | sed -n 's/.* [A-Z] \(.*3hcl.*\)/\1/p' |
    LC_ALL=C sort -u >"$letter.names"
  [ -s "$letter.names" ] || fail "$letter.o: no function of hcl"
}

# apart WHAT    the parts a and b, compiled already, in one program
apart() {
  LC_ALL=C comm -12 a.names b.names >both.names
  [ ! -s both.names ] || fail "$1: one name in two variants: $(head -n 3 both.names)"
  [ -z "$runs" ] || {
    for order in 'a' 'b' 'a b' 'b a'; do
      # shellcheck disable=SC2046,SC2086  # lists of files and flags
      "$compiler" $link main.o $(printf '%s.o ' $order) -o program
      OMP_WAIT_POLICY=passive ./program | sort >"$order.out"
    done
    sort 'a.out' 'b.out' | cmp - 'a b.out' || fail "$1: other numbers beside each other"
    cmp 'a b.out' 'b a.out' || fail "$1: numbers by the order of linking"
  }
  echo "$1: apart"
}

link=
for flag; do case $flag in -fopenmp*) link=$flag ;; esac; done
"$compiler" -std=c++20 -c "$here/main.cpp" -o main.o

runs=1
rm -rf other
cp -R "$root/include" other
sed 's/^ public:/& char changed = 0;/' other/hcl/core/workspace.hpp >changed
! cmp -s changed other/hcl/core/workspace.hpp || fail "workspace.hpp: nothing to change"
mv changed other/hcl/core/workspace.hpp
sh "$root/cmake/abi.sh" other
part a "$root/include" "$@"
part b other "$@"
apart "two states of the headers"

echo 'int main() {}' >flags.cpp
"$compiler" -mavx2 -mfma flags.cpp -o flags 2>flags.log || { echo "not x86"; exit 0; }
# The CPU must have them to run them.
grep -qsw avx2 /proc/cpuinfo && grep -qsw fma /proc/cpuinfo || runs=
part a "$root/include" -DHCL_WITH_XSIMD=0 "$@"
part b "$root/include" -DHCL_WITH_XSIMD=0 "$@" -mavx2 -mfma
apart "scalars with and without AVX2"
part a "$root/include" "$@" -mavx2
apart "scalars and vectors"
part b "$root/include" "$@" -mavx
apart "AVX2 and AVX"
