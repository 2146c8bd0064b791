#!/bin/sh
# The state of the headers, a hash in the name of hcl's inline namespace (HCL_ABI_HASH of
# core/config.hpp), so that any two states in one program keep apart:
#   sh cmake/abi.sh [FOLDER]            writes the hash of the headers below FOLDER
#   sh cmake/abi.sh --check [FOLDER]    fails unless it is written already
# FOLDER is the one that holds hcl/, by itself this tree's include.
set -eu
LC_ALL=C export LC_ALL

check=
case ${1:-} in
  --check) check=1; shift ;;
  -*) sed -n '2,6s/^# //p' "$0"; exit 2 ;;
esac
cd "${1:-$(dirname "$0")/../include}"
config=hcl/core/config.hpp
line='^#define HCL_ABI_HASH '

# Names and texts of all headers, without the line itself; no file's time, place or owner.
hash=$(find hcl -name '*.hpp' | sort | while IFS= read -r header; do
  printf '%s\n' "$header"
  sed "/$line/d" "$header"
done | cksum)
hash=v$(printf '%08x' "${hash%% *}")

written=$(sed -n "s/$line//p" $config)
[ -n "$written" ] || { echo "$PWD/$config: no line \"#define HCL_ABI_HASH\"" >&2; exit 1; }
if [ -n "$check" ]; then
  [ "$written" = "$hash" ] || {
    echo "$PWD/$config: HCL_ABI_HASH is $written, of these headers $hash: run sh cmake/abi.sh" >&2
    exit 1
  }
else
  sed "s/$line.*/#define HCL_ABI_HASH $hash/" $config >$config.new
  cat $config.new >$config  # keeps the file's mode
  rm $config.new
fi
