#!/usr/bin/env bash
# Checks that each public header, included alone and twice, is clean C11 and C++17 with every compiler
# found here: a header must bring what it needs, and a host program may be compiled with more warnings
# than this project's own code.
set -uo pipefail
here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd -P)
. "$here/../support/tap.sh"
include=$here/../../include
warnings=(-pedantic-errors -Wall -Wextra -Wshadow -Wundef -Werror)

# compile COMPILER LANGUAGE STANDARD HEADER. ISO C wants at least one declaration in a unit, which a
# header of macros alone does not bring.
compile() {
  printf '#include "%s"\n#include "%s"\nextern int unit;\n' "$4" "$4" |
    "$1" -x "$2" -std="$3" "${warnings[@]}" -I"$include" -fsyntax-only -
}

# check_header HEADER LANGUAGE STANDARD COMPILER...
check_header() {
  local header=$1 language=$2 standard=$3 compiler
  shift 3
  for compiler; do
    if command -v "$compiler" >/dev/null; then
      check "$header as $standard by $compiler" compile "$compiler" "$language" "$standard" "$header"
    else
      skip "$header as $standard by $compiler" "$compiler is not installed"
    fi
  done
}

for path in "$include"/attend/*.h; do
  header=attend/${path##*/}
  check_header "$header" c c11 gcc clang
  check_header "$header" c++ c++17 g++ clang++
done
finish
