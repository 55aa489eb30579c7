#!/usr/bin/env bash
# Checks the surface of the shared library: what leaves it begins with attend_, what the public headers
# declare leaves it, and its soname is the one that version.h asks for.
#
#   tests/check_symbols.sh [BUILD_DIRECTORY]
set -uo pipefail
here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd -P)
. "$here/tap.sh"
library=$(find "${1:-$here/../build}" -name libattend.so -print -quit)
headers=$here/../include/attend

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
check "the soname follows version.h" soname
finish
