#!/usr/bin/env bash
# Checks that what the README shows is what the project has: its C program, the commands' options and
# the files that it links to.
#
#   tests/test_readme.sh TOOL
set -uo pipefail
here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd -P)
. "$here/tap.sh"
tool=$1
top=$here/..
readme=$top/README.md

program_is_the_example() {
  diff <(sed -n '/^```c$/,/^```$/p' "$readme" | sed '1d;$d') "$top/examples/01_one_call.c"
}

# Every --option in a line that starts with `attend COMMAND` stands in that command's help.
options_exist() {
  local line command option status=0
  while read -r line; do
    command=$(awk '{ print $2 }' <<<"$line")
    for option in $(sed 's/ #.*//' <<<"$line" | grep -oE -- '--[a-z-]+'); do
      "$tool" "$command" --help | grep -qw -- "$option" && continue
      printf '%s: no %s\n' "$command" "$option"
      status=1
    done
  done < <(sed -n 's/^    \(attend [a-z]* .*\)/\1/p' "$readme")
  return "$status"
}

links_lead_somewhere() {
  local link status=0
  for link in $(grep -oE '\]\([^)#]+\)' "$readme" | sed 's/^](//; s/)$//' | grep -v '^http'); do
    [[ -e $top/$link ]] || { printf 'no %s\n' "$link"; status=1; }
  done
  return "$status"
}

check 'the program is examples/01_one_call.c' program_is_the_example
check 'the options of its commands exist' options_exist
check 'its links lead somewhere' links_lead_somewhere
finish
