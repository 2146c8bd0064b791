#!/bin/sh
# Compiles tests/targets/every_template.cpp; every warning is an error, and nothing is run.
#   sh tests/every_template.sh        with g++ for three CPUs at -O2 and -O3, and without
#                                     exceptions: under 4 minutes
#   sh tests/every_template.sh all    with g++ 12, clang 14 and the newest clang at -O0 to -O3,
#                                     without vectors, and with libc++: for the night
# What each said is in build/targets/every_template.
set -eu
cd "$(dirname "$0")/.."
. cmake/setup.sh

logs=build/targets/every_template
mkdir -p "$logs"
warnings='-Wall -Wextra -Wpedantic -Wconversion -Wsign-conversion -Wshadow -Wdouble-promotion
  -Warray-bounds -Werror'
file=tests/targets/every_template.cpp

compile() {  # compiler, flags...
  log=$logs/$(echo "$*" | tr ' ' _).log
  began=$(date +%s)
  includes='-Iinclude -isystem /usr/include/eigen3 -isystem /usr/local/include/eigen3'
  case $1 in
    clang*)
      borrowed=$(borrow_openmp "$1" "$PWD/$logs")
      [ -z "$borrowed" ] || includes="$includes -idirafter $borrowed" ;;
    *) warnings="$warnings -Wstringop-overflow" ;;
  esac
  # shellcheck disable=SC2086  # lists of flags
  if "$@" -std=c++20 $warnings $includes -c "$file" -o /dev/null >"$log" 2>&1; then
    echo "quiet   $* ($(($(date +%s) - began)) s)"
  else
    echo "failed  $*: see $log, which begins so:"
    head -n 40 "$log" | sed 's/^/    /'
    return 1
  fi
}

# The CPUs of this kind of machine; of others than x86-64 only the one that it is.
cpus() {
  case $(uname -m) in
    x86_64) echo '-march=x86-64-v4 -march=x86-64-v3 -march=x86-64' ;;
    *) echo '-mcpu=native' ;;
  esac
}

vectors='-fopenmp -DHCL_WITH_XSIMD=1'
some() {
  for level in -O3 -O2; do
    for cpu in $(cpus); do echo "g++ $level -DNDEBUG $cpu $vectors"; done
  done
  echo 'g++ -fsyntax-only -fno-exceptions'
}
all() {
  newest=$(ls /usr/bin/clang++-[0-9]* 2>/dev/null | sort -t- -k2n | tail -n 1)
  echo 'clang++-14 -fsyntax-only -stdlib=libc++'
  for compiler in g++-12 clang++-14 "${newest##*/}"; do
    if ! command -v "$compiler" >/dev/null; then
      echo "skipped ${compiler:-the newest clang}" >&2
      continue
    fi
    for level in '-O3 -DNDEBUG' '-O2 -DNDEBUG' -O1 -O0; do
      for cpu in $(cpus); do echo "$compiler $level $cpu $vectors"; done
      echo "$compiler $level -DHCL_WITH_XSIMD=0"
    done
  done
}

case ${1:-} in
  '') list=some ;;
  all) list=all ;;
  compile)  # one line of a list, for xargs below
    # shellcheck disable=SC2086
    compile $2
    exit ;;
  *) sed -n '2,7s/^# //p' "$0"; exit 2 ;;
esac
$list | xargs -I '{}' -P "$(jobs)" sh tests/every_template.sh compile '{}'
