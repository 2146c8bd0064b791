#!/bin/sh
# Builds and passes the tests for one target or several: a CPU, a compiler, a way to compile.
#   sh tests/targets.sh list
#   sh tests/targets.sh all | NAME...
# Prints a line for each and fails if one failed. A target for another CPU than this one is built
# only. NAME is built in build/targets/NAME; what it said is in build/targets/NAME.log. `warnings'
# is every_template.sh for all compilers. The consume tests, which choose their own flags, are
# .ci/run's.
set -eu
cd "$(dirname "$0")/.."
. cmake/setup.sh

all='sse2 avx2 avx512 aarch64 g++-12 clang-14 clang-16 clang-19 serial O0 O3 tsan warnings'

# What target $1 is: the commands it needs (the compiler first), the CPU's feature it needs,
# flags, and options for cmake. Where a test runs many times slower, HCL_SHORT leaves out some
# instances of templates. Fails if there is no such target.
describe() {
  needs=g++ cpu='' flags='-O2 -DNDEBUG' options=''
  case $1 in
    sse2) cpu=sse2 flags="$flags -march=x86-64" options=-DHCL_NATIVE=OFF ;;
    avx2) cpu=avx2 flags="$flags -march=x86-64-v3" options=-DHCL_NATIVE=OFF ;;
    avx512) cpu=avx512vl flags="$flags -march=x86-64-v4" options=-DHCL_NATIVE=OFF ;;
    aarch64)
      needs='aarch64-linux-gnu-g++ qemu-aarch64'
      options="-DHCL_NATIVE=OFF -DHCL_SHORT=ON
        -DCMAKE_SYSTEM_NAME=Linux -DCMAKE_SYSTEM_PROCESSOR=aarch64
        -DCMAKE_CROSSCOMPILING_EMULATOR=qemu-aarch64;-L;/usr/aarch64-linux-gnu"
      # Debian's cross compiler looks into /usr/include last, so the host's header-only packages
      # serve it as they are; only their CMake files are kept under the host's name.
      options="$options -DCMAKE_PREFIX_PATH=/usr/lib/$(g++ -print-multiarch)/cmake" ;;
    g++-[0-9]*) needs=$1 ;;
    clang-[0-9]*) needs=clang++-${1#clang-} ;;
    serial) options=-DHCL_WITH_OPENMP=OFF ;;
    O0) flags=-O0 options=-DHCL_SHORT=ON ;;
    # At -O3 GCC 12 warns of its own library's copies of strings (bug 105651).
    O3) flags='-O3 -DNDEBUG -Wno-restrict' ;;
    tsan)
      needs=clang++ flags='-O1 -g -fsanitize=thread'
      # The runtime's operator new goes before the one of count_allocations.hpp, so that its
      # tests count nothing here.
      options='-DHCL_SHORT=ON -DCMAKE_EXE_LINKER_FLAGS=-Wl,--allow-multiple-definition' ;;
    warnings) ;;
    *) return 1 ;;
  esac
}

lacking() {  # prints the first thing that the target needs and this machine does not have
  for command in $needs; do
    command -v "$command" >/dev/null || { echo "no $command"; return; }
  done
}

# ThreadSanitizer understands OpenMP's barriers only through a tool, Archer, that libomp loads:
# without it all that two loops share is a race.
race_is_found() {
  cat >"$folder/race.cpp" <<'END'
int main() {
  int shared = 0;
#pragma omp parallel
  ++shared;
}
END
  "$compiler" -O1 -fopenmp -fsanitize=thread "$folder/race.cpp" -o "$folder/race" || return
  ARCHER_OPTIONS=verbose=1 "$folder/race" >"$folder/race.log" 2>&1 || :
  for words in 'Archer detected' 'data race'; do
    grep "$words" "$folder/race.log" || { echo "no \"$words\" from a race"; return 1; }
  done
}

runs_here() { [ -z "$cpu" ] || grep -qsw "$cpu" /proc/cpuinfo; }

build_and_test() {  # name
  compiler=${needs%% *}
  case $1 in
    warnings) sh tests/every_template.sh all; return ;;
    clang-*)
      borrowed=$(borrow_openmp "$compiler" "$PWD/$folder")
      [ -z "$borrowed" ] || {
        flags="$flags -idirafter $borrowed"
        options="$options -DCMAKE_EXE_LINKER_FLAGS=-L$borrowed"
      } ;;
    tsan)
      export TSAN_OPTIONS=ignore_noninstrumented_modules=1 OMP_NUM_THREADS=3
      race_is_found || return ;;
  esac
  # The build asks each test program for its cases.
  runs_here || options="$options -DCMAKE_CROSSCOMPILING_EMULATOR=true"
  # shellcheck disable=SC2086  # a list of options
  cmake -S . -B "$folder" -G Ninja -DCMAKE_COMPILE_WARNING_AS_ERROR=ON \
    -DCMAKE_CXX_COMPILER="$compiler" -DCMAKE_CXX_FLAGS="$flags" $options || return
  cmake --build "$folder" || return
  ! runs_here ||
    ctest --test-dir "$folder" -E '^consume' --output-on-failure --no-tests=error \
      -j "${CTEST_PARALLEL_LEVEL:-$(jobs)}"
}

case ${1:-} in
  '' | -*) sed -n '2,8s/^# //p' "$0"; exit 2 ;;
  list) echo "$all"; exit ;;
  all)
    # shellcheck disable=SC2086  # a list of names
    set -- $all ;;
esac
for name in "$@"; do
  describe "$name" || { echo "no target $name; there are: $all" >&2; exit 2; }
done
setup build tests
setup targets || :  # a target that needs more than can be had is skipped

failed=0
for name in "$@"; do
  folder=build/targets/$name
  mkdir -p "$folder"
  describe "$name"
  reason=$(lacking)
  began=$(date +%s)
  if [ -n "$reason" ]; then
    echo "skipped $name: $reason"
  elif (build_and_test "$name") >"$folder.log" 2>&1; then
    took="($(($(date +%s) - began)) s)"
    if runs_here; then
      echo "passed  $name $took"
    else
      echo "built   $name $took: this CPU has no $cpu"
    fi
  else
    echo "failed  $name: see $folder.log, which ends so:"
    tail -n 40 "$folder.log" | sed 's/^/    /'
    failed=1
  fi
done
exit $failed
