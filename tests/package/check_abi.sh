#!/usr/bin/env bash
# Checks that programs built against this version keep running: the exported signatures, the layout of
# every public struct and the numbers of every enum are those that tests/package/abi.txt lists for its soname.
#
# gcc says the signatures, clang the layouts; both are of a 64-bit x86 machine. A change needs another
# soname (version.h) and a new list, which --update writes. What is only added needs a new list alone.
#
#   tests/package/check_abi.sh [--update]
set -uo pipefail
here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd -P)
. "$here/../support/tap.sh"
top=$here/../..
list=$here/abi.txt
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

soname() {
  awk '$2 == "ATTEND_VERSION_MAJOR" { major = $3 } $2 == "ATTEND_VERSION_MINOR" { minor = $3 }
    END { print "soname libattend.so." (major ? major : "0." minor) }' "$top/include/attend/version.h"
}

# "function AttendStatus attend_open(...)": types only, so that a parameter may be renamed.
functions() {
  gcc -std=c11 -I"$top/include" -fsyntax-only -aux-info "$work/prototypes" "$work/public.c" &&
    sed -n 's|^.* extern \(.*attend_[a-z0-9_]* (.*\);$|function \1|p' "$work/prototypes" | sort -u
}

# "struct AttendShape 56 8: 0 size_t batch, 8 size_t query_tokens, ..."
structs() {
  clang -std=c11 -I"$top/include" -fsyntax-only -Xclang -fdump-record-layouts-complete "$work/public.c" |
    awk '
      function flush() { if (name ~ /^Attend/) print "struct " name " " size fields; name = "" }
      / \*\*\* |^\*\*\* / { flush() }
      /^ *[0-9:-]+ \| *(struct|union) [A-Za-z]+$/ && name == "" { name = $NF; fields = ""; next }
      /\[sizeof=/ { sub(/.*\[sizeof=/, ""); sub(/, *align=/, " "); sub(/\].*/, ""); size = $0 ":" ; next }
      name != "" && / \| / {
        at = $1; sub(/^[^|]*\| */, ""); sub(/\(.*include\/attend\//, "(")
        gsub(/:[0-9]+:[0-9]+/, "")
        fields = fields "\n  " at " " $0
      }
      END { flush() }' | fold_structs
}

# A blank between a struct and its fields would be lost in sorting: one line each until they are sorted.
fold_structs() {
  awk '/^struct / { if (line) print line; line = $0; next } { line = line "@" $0 } END { print line }' |
    sort -u | tr '@' '\n'
}

# "enum AttendIsa ATTEND_ISA_AUTO = 0", each number on a line of its own, since more may follow.
enums() {
  gcc -std=c11 -I"$top/include" -E -P "$work/public.c" | tr '\n' ' ' |
    grep -oE 'typedef enum [A-Za-z]+ \{[^}]*\}' | tr -d '(),}' |
    awk '{ for (i = 5; i <= NF; i += 3) print "enum", $3, $i, $(i + 1), $(i + 2) }'
}

make_list() {
  printf '#include <attend/attend.h>\n#include <attend/io.h>\n' >"$work/public.c"
  soname && functions && structs && enums
}

has() {
  printf '%s\n' "$2" && grep -qE "$1" "$work/found"
}

# Of the lines of abi.txt, all are still there.
keeps_promises() {
  local gone
  gone=$(diff "$list" "$work/found" | grep '^<')
  printf '%s\n' "$gone" 'raise the version in version.h, then run tests/package/check_abi.sh --update'
  [[ -z $gone ]]
}

lists_everything() {
  diff "$list" "$work/found" && return
  printf '%s\n' 'run tests/package/check_abi.sh --update'
  return 1
}

make_list >"$work/found" || exit 1
if [[ ${1-} == --update ]]; then
  cp "$work/found" "$list.new" && mv "$list.new" "$list"
  exit
fi
check "functions are found" has '^function AttendStatus attend_open \(' 'attend_open is missing'
check "structs are found" has '^struct AttendOptions [0-9]+ 8:' 'AttendOptions is missing'
check "enums are found" has '^enum AttendIsa ATTEND_ISA_AUTO = 0$' 'AttendIsa is missing'
# Another soname promises nothing to programs of the one before.
if [[ $(head -n 1 "$list") == "$(soname)" ]]; then
  check "nothing that was promised has changed" keeps_promises
else
  skip "nothing that was promised has changed" 'the soname is another'
fi
check "abi.txt lists what there is" lists_everything
finish
