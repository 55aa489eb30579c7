#!/usr/bin/env bash
# Checks that what the README and the teachers' page show is what the project has: a C program, the
# commands and their options, the files that they link to, and the pictures.
#
#   tests/tool/test_readme.sh TOOL
set -uo pipefail
here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd -P)
. "$here/../support/tap.sh"
tool=$(realpath -- "$1")
top=$here/../..
readme=$top/README.md
teaching=$top/docs/teaching.md
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

program_is_the_example() {
  diff <(sed -n '/^```c$/,/^```$/p' "$readme" | sed '1d;$d') "$top/examples/01_one_call.c"
}

# commands FILE: what it shows of the tool, in lines of their own or between backquotes.
commands() {
  sed -n 's/^    \(attend [a-z]* .*\)/\1/p' "$1"
  grep -oE '`attend [a-z]+ [^`]*`' "$1" | tr -d '`'
}

# Every --option of these commands stands in the command's help.
options_exist() {
  local line command option status=0
  while read -r line; do
    command=$(awk '{ print $2 }' <<<"$line")
    for option in $(sed 's/ #.*//' <<<"$line" | grep -oE -- '--[a-z-]+'); do
      "$tool" "$command" --help | grep -w -- "$option" >/dev/null && continue
      printf '%s: no %s\n' "$command" "$option"
      status=1
    done
  done < <(commands "$1")
  return "$status"
}

every_command_is_shown() {
  local command status=0
  for command in $("$tool" --help | sed -n '/^Commands:/,$ s/^  \([a-z]*\) .*/\1/p'); do
    grep "^    attend $command " "$readme" >/dev/null && continue
    printf 'no line of attend %s\n' "$command"
    status=1
  done
  return "$status"
}

# The commands of the teachers' page do what it says; its own file and the long measurement are left out.
commands_run() {
  local line status=0
  while read -r line; do
    (cd "$scratch" && eval "${line/attend/\"$tool\"}") >"$scratch/out" 2>&1 && continue
    printf '%s\n' "$line"
    cat "$scratch/out"
    status=1
  done < <(commands "$teaching" | tr -d '\\' | grep -vE '^attend (bench|compare) |my\.json')
  return "$status"
}

# A picture of the page is what its command draws.
pictures_are_drawn() {
  local picture status=0
  for picture in qwen2.5-0.5b.svg causal.svg; do
    cmp "$scratch/$picture" "$top/docs/pictures/$picture" || status=1
  done
  return "$status"
}

links_lead_somewhere() {
  local link status=0
  for link in $(grep -oE '\]\([^)#]+\)' "$1" | sed 's/^](//; s/)$//' | grep -v '^http'); do
    [[ -e $(dirname -- "$1")/$link ]] || { printf 'no %s\n' "$link"; status=1; }
  done
  return "$status"
}

check 'the program is examples/01_one_call.c' program_is_the_example
check 'the options of its commands exist' options_exist "$readme"
check 'every command has a line' every_command_is_shown
check 'its links lead somewhere' links_lead_somewhere "$readme"
check 'the links of CONTRIBUTING.md lead somewhere' links_lead_somewhere "$top/CONTRIBUTING.md"
check 'the links of the page on architecture lead somewhere' links_lead_somewhere "$top/docs/architecture.md"
check "the options of the teachers' page exist" options_exist "$teaching"
check "the links of the teachers' page lead somewhere" links_lead_somewhere "$teaching"
check "the commands of the teachers' page run" commands_run
check "the pictures of the teachers' page are drawn by them" pictures_are_drawn
finish
