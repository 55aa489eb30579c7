#!/usr/bin/env bash
# Holds the completions for bash and zsh and the man page, which the build makes from the tables of the
# commands, against what the tool accepts: every command and option that its help lists is in all of them,
# every word that is offered is taken, and what the page says does not go together is refused.
#
#   tests/tool/test_completions.sh TOOL JSON_CHECK NPY_TOOL [PAGE BASH ZSH]
set -uo pipefail
here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd -P)
. "$here/../support/tap.sh"
tool=${1:?usage: $0 TOOL}
if [[ $# -lt 6 ]]; then
  skip 'completions and man page' 'the tool could not be run while it was built'
  finish
  exit
fi
page=$4 bash_completion=$5 zsh_completion=$6
. "$bash_completion"

commands() {
  "$tool" --help | sed -n '/^Commands:/,$s/^  \([a-z-]*\) .*/\1/p'
}

# Options stand in the left column; what the right one mentions may belong to another command.
options() {
  "$tool" "$1" --help | awk '/^  -/ { sub(/^  /, ""); sub(/  .*/, ""); print }' |
    grep -oE -e '--[a-z][a-z-]*' | sort -u
}

# complete_words WORD...: what bash offers for the last word.
complete_words() {
  COMP_WORDS=("$@")
  COMP_CWORD=$(($# - 1))
  COMPREPLY=()
  _attend "$1"
  printf '%s\n' ${COMPREPLY[@]+"${COMPREPLY[@]}"}
}

# same WANTED FOUND: two lists without order.
same() {
  diff <(sort -u <<<"$1") <(sort -u <<<"$2") && [[ -n $1 ]]
}

bash_knows_commands() {
  same "$(commands)
help
--help
--version" "$(complete_words "$tool" '')"
}

bash_knows_options() {
  same "$(options "$1")" "$(complete_words "$tool" "$1" --)"
}

bash_narrows() {
  same --threads "$(complete_words "$tool" bench --thr)"
}

bash_knows_values() {
  same avx2 "$(complete_words "$tool" bench --isa avx2)" &&
    same $'auto\navx2' "$(complete_words "$tool" bench --isa a | grep -xE 'auto|avx2')" &&
    same naive "$(complete_words "$tool" bench --paths n)" &&
    same "$("$tool" info --models | awk 'NR > 1 && NF > 1 { print $1 }')" "$(_attend_words bench --model)"
}

# Values are read before --help ends the reading, so that a wrong one is wrong usage. Of a word that goes
# on, such as random:, the rest is a number.
words_are_taken() {
  local option word
  for option in $(options "$1"); do
    for word in $(_attend_words "$1" "$option"); do
      "$tool" "$1" "$option" "${word/%:/:0.5}" --help >/dev/null && continue
      printf 'attend %s %s %s\n' "$1" "$option" "$word"
      return 1
    done
  done
}

# A word of an option that takes words, a file or a number, or nothing for a flag.
some_value() {
  local words
  words=$(_attend_words "$1" "$2")
  case $("$tool" "$1" --help | grep -oE -e "^  $2( [^ ]+)?") in
    *' FILE.svg|.png') printf 'x.svg' ;;
    "  $2 "*) head -n 1 <<<"${words:-1}" ;;
  esac
}

# rules COMMAND: "OPTION KIND OTHER..." of its section, a line for each rule.
rules() {
  section ".Ss $1" | tr -d '\\' | awk '
    /^\.It Fl -/ { option = "-" $3 }
    /^(Not with|Needs) --/ {
      kind = $1; sub(/^[A-Za-z ]*--/, "--"); sub(/:.*/, ""); gsub(/,| or/, "")
      print option, kind, $0
    }'
}

# call COMMAND OPTION...: the tool with these options, each with some value.
call() {
  local command=$1 option value arguments=()
  shift
  for option; do
    value=$(some_value "$command" "$option")
    arguments+=("$option" ${value:+"$value"})
  done
  "$tool" "$command" "${arguments[@]}" 2>&1
}

rules_hold() {
  local option kind others other said
  while read -r option kind others; do
    for other in $others; do
      if [[ $kind == Not ]]; then
        said=$(call "$1" "$option" "$other")
        [[ $? == 2 && $said == "attend: "*"$option and $other do not go together: "*. ]] && continue
      else
        said=$(call "$1" "$option")
        [[ $? == 2 && $said == "attend: $option needs "*"$other"*": "* ]] && continue
      fi
      printf '%s %s %s %s: %s\n' "$1" "$option" "$kind" "$other" "$said"
      return 1
    done
  done < <(rules "$1")
}

rules_are_found() {
  grep -qx -e '--chunk Not --decode' <(rules bench) && grep -qx -e '--save-weights Needs --random' <(rules run)
}

bash_knows_files() {
  grep -qx "$page" <<<"$(complete_words "$tool" inspect "$page")"
}

zsh_knows() {
  local line
  zsh -n "$zsh_completion" || return 1
  line=$(
    zsh -f -c '
      _describe() { print -l ${(P)2} }
      compadd() { [[ $1 == -- ]] && shift; print -l -- $@ }
      _files() { print files }
      words=("${(@)argv[3,-1]}") CURRENT=$#words
      source "$2"
    ' zsh "$tool" "$zsh_completion" "$tool" "$@"
  ) || return 1
  printf '%s\n' "$line"
}

zsh_knows_commands() {
  same "$(commands)
help
--help
--version" "$(zsh_knows '' | sed 's/:.*//')"
}

zsh_knows_options() {
  same "$(options "$1")" "$(zsh_knows "$1" --)"
}

# section HEADING: the page's text between this heading and the next, as plain options.
section() {
  awk -v heading="$1" '/^\.S[hs] / { inside = ($0 == heading); next } inside' "$page"
}

page_options() {
  section "$1" | sed -n '/^\.It .*Fl/p' | grep -oE 'Fl \\-[a-z][a-z-]*' | sed 's/^Fl .-/--/' | sort -u
}

page_knows_commands() {
  same "$(commands)" "$(section '.Sh COMMANDS' | sed -n 's/^\.It Ic //p')"
}

# All that the help lists is in the command's section or among the common options, and the section has
# nothing else.
page_knows_options() {
  local command=$1 missing surplus
  missing=$(comm -23 <(options "$command") \
    <({ page_options ".Ss $command" && page_options '.Sh COMMON OPTIONS'; } | sort -u))
  surplus=$(comm -13 <(options "$command") <(page_options ".Ss $command"))
  printf 'not on the page: %s\nonly on the page: %s\n' "$missing" "$surplus"
  [[ -z $missing && -z $surplus && -n $(section ".Ss $command") ]]
}

page_is_formatted() {
  local warnings name
  for name in "$page" "$here/../../man/attend.3"; do
    warnings=$(LC_ALL=C.UTF-8 MANWIDTH=80 man --warnings -l "$name" 2>&1 >/dev/null)
    printf '%s\n' "$warnings"
    [[ -z $warnings ]] || return 1
  done
}

check 'the tool lists commands' grep -q . <(commands)
check 'bash: commands' bash_knows_commands
check 'page: commands' page_knows_commands
for command in $(commands); do
  check "bash: options of $command" bash_knows_options "$command"
  check "page: options of $command" page_knows_options "$command"
  check "words of $command are taken" words_are_taken "$command"
  check "rules of $command hold" rules_hold "$command"
done
check 'bash: what is typed narrows' bash_narrows
check 'bash: values' bash_knows_values
check 'rules are found on the page' rules_are_found
check 'bash: files' bash_knows_files
if command -v zsh >/dev/null; then
  check 'zsh: commands' zsh_knows_commands
  for command in $(commands); do check "zsh: options of $command" zsh_knows_options "$command"; done
else
  skip 'zsh' 'there is no zsh here'
fi
if command -v man >/dev/null; then
  check 'the pages are formatted without a warning' page_is_formatted
else
  skip 'the pages are formatted without a warning' 'there is no man here'
fi
finish
