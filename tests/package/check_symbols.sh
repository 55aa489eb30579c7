#!/usr/bin/env bash
# Checks the surface of the library: what leaves the shared one begins with attend_, what the public
# headers declare leaves it, and its soname is the one that version.h asks for. In the static one every
# global name begins with attend_: kernels have the prefix from their macro (KERNEL_MEMBER), all others by
# way of src/private_names.h, which lists what there is and no more.
#
#   tests/package/check_symbols.sh [BUILD_DIRECTORY]
set -uo pipefail
here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd -P)
. "$here/../support/tap.sh"
library=$(find "${1:-$here/../../build}" -name libattend.so -print -quit)
archive=$(find "${1:-$here/../../build}" -name libattend.a -print -quit)
headers=$here/../../include/attend
private_names=$here/../../src/private_names.h

exported() {
  nm -D --defined-only --format=posix "$library" | awk '{ sub(/@.*/, "", $1); print $1 }' | sort -u
}

declared() {
  sed -n '/^ATTEND_API /,/;/p' "$headers"/*.h | tr '\n' ' ' | grep -oE '\<attend_[a-z0-9_]+ ?\(' |
    tr -d ' (' | sort -u
}

# prints_nothing COMMAND...: for lists of offenders.
prints_nothing() {
  local offenders
  offenders=$("$@") || return 1
  printf '%s\n' "$offenders"
  [[ -z $offenders ]]
}

foreign() {
  exported | awk '!/^attend_/'
}

missing() {
  comm -23 <(declared) <(exported)
}

undeclared() {
  comm -13 <(declared) <(exported)
}

archived() {
  nm -g --defined-only --format=posix "$archive" | awk 'NF > 1 { print $1 }' | sort -u
}

# As the lines that private_names.h lacks.
unlisted() {
  archived | awk '!/^attend_/ { print "#define", $1, "attend_private_" $1 }'
}

left_over() {
  awk '$1 == "#define" && NF == 3 { print $3 }' "$private_names" | sort | comm -23 - <(archived)
}

# Kernels get their prefix from KERNEL_MEMBER.
listed_kernels() {
  local isas
  isas=$(sed -n 's/^ATTEND_ISA(\([a-z0-9]*\),.*/\1/p' "$here/../../src/kernels/isas.def" | paste -sd '|')
  awk -v kernel="_($isas)\$" '$1 == "#define" && $2 ~ kernel' "$private_names"
}

names_are_prefixed() {
  awk '$1 == "#define" && NF == 3 && $3 != "attend_private_" $2' "$private_names"
}

number() {
  awk -v name="ATTEND_VERSION_$1" '$2 == name { print $3 }' "$headers/version.h"
}

soname() {
  local wanted found
  wanted=libattend.so.$(number MAJOR)
  [[ $wanted != *.0 ]] || wanted=$wanted.$(number MINOR)
  found=$(LC_ALL=C readelf -d "$library" | sed -n 's/.*(SONAME).*\[\(.*\)\]/\1/p')
  printf 'found %s, wanted %s\n' "$found" "$wanted"
  [[ $found == "$wanted" ]]
}

check "the library is there and has symbols" grep -q attend_ <(exported)
check "the headers declare functions" grep -q attend_ <(declared)
check "only attend_ symbols leave the library" prints_nothing foreign
check "every declared function leaves it" prints_nothing missing
check "no function leaves it undeclared" prints_nothing undeclared
check "every global name of the static library has a prefix" prints_nothing unlisted
check "private_names.h lists nothing that is gone" prints_nothing left_over
check "private_names.h lists no kernel" prints_nothing listed_kernels
check "private_names.h gives each name its own" prints_nothing names_are_prefixed
check "the soname follows version.h" soname
finish
