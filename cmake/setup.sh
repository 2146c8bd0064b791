# cmake/setup.sh - sourced by tests/run.sh, examples/run.sh and .ci/run (POSIX sh).
#
#   setup GROUP...   makes sure that what the groups below need is there: looks for each thing,
#                    installs what is missing through the system's package manager, looks again,
#                    and names what is missing still; returns 1 if any of that is needed.

# group, what to look for (a command or a header), and the package that has it:
# apt-get, dnf, pacman, apk, brew; "-" where we know none.
setup_table() {
  cat <<'EOF'
build    cmd cmake                   cmake               cmake                  cmake         cmake             cmake
build    cmd ninja                   ninja-build         ninja-build            ninja         samurai           ninja
build    cmd c++                     g++                 gcc-c++                gcc           g++               gcc
build    hdr stdlib.h                libc6-dev           glibc-devel            glibc         musl-dev          -
build    hdr Eigen/Core              libeigen3-dev       eigen3-devel           eigen         eigen-dev         eigen
build    hdr xsimd/xsimd.hpp         libxsimd-dev        xsimd-devel            xsimd         xsimd-dev         xsimd
tests    hdr doctest/doctest.h       doctest-dev         doctest-devel          doctest       doctest-dev       doctest
tests    hdr boost/version.hpp       libboost-dev        boost-devel            boost         boost-dev         boost
bench    hdr benchmark/benchmark.h   libbenchmark-dev    google-benchmark-devel benchmark     benchmark-dev     google-benchmark
bench    hdr boost/version.hpp       libboost-dev        boost-devel            boost         boost-dev         boost
bench    hdr CLI/CLI.hpp             libcli11-dev        cli11-devel            cli11         cli11-dev         cli11
bench    hdr zlib.h                  zlib1g-dev          zlib-devel             zlib          zlib-dev          zlib
examples hdr zlib.h                  zlib1g-dev          zlib-devel             zlib          zlib-dev          zlib
examples hdr CLI/CLI.hpp             libcli11-dev        cli11-devel            cli11         cli11-dev         cli11
examples hdr nlohmann/json.hpp       nlohmann-json3-dev  json-devel             nlohmann-json nlohmann-json     nlohmann-json
pictures cmd gnuplot                 gnuplot-nox         gnuplot                gnuplot       gnuplot           gnuplot
peers    hdr dnnl.h                  libdnnl-dev         onednn-devel           onednn        onednn-dev        onednn
peers    py  torch                   python3-torch       python3-torch          python-pytorch py3-pytorch      pytorch
peers    py  scipy                   python3-scipy       python3-scipy          python-scipy  py3-scipy         scipy
ci       cmd git                     git                 git                    git           git               git
ci       cmd clang++                 clang               clang                  clang         clang             llvm
ci       cmd clang-format            clang-format        clang-tools-extra      clang         clang-extra-tools clang-format
ci       lib clang-openmp            libomp-dev          libomp-devel           openmp        openmp-dev        libomp
targets  cmd g++-12                  g++-12              -                      -             -                 gcc@12
targets  cmd clang++                 clang               clang                  clang         clang             llvm
targets  cmd clang++-14              clang-14            -                      -             -                 -
targets  cmd clang++-16              clang-16            -                      -             -                 -
targets  cmd clang++-19              clang-19            -                      -             -                 -
targets  lib clang-openmp            libomp-dev          libomp-devel           openmp        openmp-dev        libomp
targets  lib libc++              libc++-14-dev       -                      -             -                 -
targets  cmd aarch64-linux-gnu-g++   g++-aarch64-linux-gnu -                    -             -                 -
targets  cmd qemu-aarch64            qemu-user           -                      -             -                 -
EOF
}

setup_say() { printf '%s\n' "setup: $*" >&2; }

setup_as_root() {
  if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo "$@"; fi
}

setup_header() {  # compiler, header, flags...
  setup_compiler=$1
  setup_name=$2
  shift 2
  printf '#include <%s>\n' "$setup_name" |
    "$setup_compiler" "$@" -x c++ -std=c++20 -E -I/usr/include/eigen3 \
      -I/usr/local/include -I/usr/local/include/eigen3 -I/opt/homebrew/include \
      -I/opt/homebrew/include/eigen3 - >/dev/null 2>&1
}

setup_has() {  # cmd|hdr|py|lib, name
  case $1:$2 in
    cmd:c++) command -v "${CXX:-c++}" >/dev/null 2>&1 ;;
    cmd:*) command -v "$2" >/dev/null 2>&1 ;;
    hdr:*) setup_header "${CXX:-c++}" "$2" ;;
    py:*) /usr/bin/python3 -c "import $2" >/dev/null 2>&1 ;;
    lib:libc++) setup_header clang++-14 version -stdlib=libc++ ;;
    lib:clang-openmp) setup_header clang++ omp.h -fopenmp ;;
  esac
}

# Prints the package manager and its column of the table.
setup_manager() {
  for setup_one in apt-get:4 dnf:5 pacman:6 apk:7 brew:8; do
    if command -v "${setup_one%:*}" >/dev/null 2>&1; then
      printf '%s %s\n' "${setup_one%:*}" "${setup_one#*:}"
      return
    fi
  done
}

setup_install() {  # manager, packages...
  setup_with=$1
  shift
  case $setup_with in
    apt-get)
      setup_as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q \
        --no-install-recommends "$@" ;;
    dnf) setup_as_root dnf install -y -q "$@" ;;
    pacman) setup_as_root pacman -S --needed --noconfirm "$@" ;;
    apk) setup_as_root apk add "$@" ;;
    brew) brew install "$@" ;;
  esac >&2
}

# Installs packages: together if it can be, else one by one, so that a name which this
# system does not know costs only itself.
setup_packages() {  # manager, packages...
  setup_by=$1
  shift
  if [ "$setup_by" != brew ] && [ "$(id -u)" -ne 0 ] && ! command -v sudo >/dev/null 2>&1; then
    setup_say "neither root nor sudo: cannot install $*"
    return 1
  fi
  setup_say "installing with $setup_by: $*"
  case $setup_by in
    apt-get) setup_as_root apt-get update -q >&2 || : ;;
    pacman) setup_as_root pacman -Sy >&2 || : ;;
  esac
  setup_install "$setup_by" "$@" && return
  for setup_package in "$@"; do
    setup_install "$setup_by" "$setup_package" || setup_say "no package $setup_package"
  done
}

# Prints column $1 of what the groups in $2 need and this machine lacks; column 3, for people,
# with Debian's name for it.
setup_missing() {
  setup_table | while read -r setup_group setup_kind setup_what setup_rest; do
    case " $2 " in *" $setup_group "*) ;; *) continue ;; esac
    setup_has "$setup_kind" "$setup_what" && continue
    # shellcheck disable=SC2086  # the row is split into its columns
    set -- "$1" "$2" $setup_group $setup_kind $setup_what $setup_rest
    if [ "$1" -eq 3 ]; then
      printf '%s (Debian: %s)\n' "$5" "$6"
    else
      eval "printf '%s\\n' \"\${$(($1 + 2))}\""
    fi
  done
}

setup_too_old() {  # prints what is there but too old
  setup_version=$(cmake --version | sed -n 's/^cmake version \([0-9]*\)\.\([0-9]*\).*/\1 \2/p')
  # shellcheck disable=SC2086  # two numbers
  set -- $setup_version
  [ $(($1 * 100 + $2)) -ge 324 ] || printf 'cmake %s.%s (3.24 or newer is needed)\n' "$1" "$2"
  printf '#include <concepts>\n#include <span>\nstatic_assert(std::integral<int>);\n' |
    "${CXX:-c++}" -x c++ -std=c++20 -fsyntax-only - >/dev/null 2>&1 ||
    printf '%s (C++20 is needed: g++ 12, clang 14 or newer)\n' "${CXX:-c++}"
}

setup() {
  setup_groups=$*
  if [ -n "$(setup_missing 3 "$setup_groups")" ]; then
    setup_found=$(setup_manager)
    if [ -n "$setup_found" ]; then
      # shellcheck disable=SC2046  # a list of packages
      setup_packages "${setup_found% *}" \
        $(setup_missing "${setup_found#* }" "$setup_groups" | grep -vx -e - | sort -u) || :
    else
      setup_say "no package manager that this script knows (apt-get, dnf, pacman, apk, brew)"
    fi
  fi
  setup_left=$(setup_missing 3 "$setup_groups")
  if [ -z "$setup_left" ]; then
    case " $setup_groups " in *" build "*) setup_left=$(setup_too_old) ;; esac
  fi
  [ -z "$setup_left" ] && return
  setup_say "still missing; please install:"
  printf '%s\n' "$setup_left" | sed 's/^/  /' >&2
  return 1
}

# Debian installs OpenMP for one clang at a time, the default one. Prints the folder in $2 where
# another clang, $1, finds that one's header and library, two links; nothing if it has its own.
borrow_openmp() {
  setup_header "$1" omp.h -fopenmp && return
  setup_from=$(clang++ -print-resource-dir)
  mkdir -p "$2/openmp"
  ln -sf "$setup_from/include/omp.h" "$setup_from/../../libomp.so" "$2/openmp/"
  echo "$2/openmp"
}

# Number of processors.
jobs() { getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2; }
