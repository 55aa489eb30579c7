#!/usr/bin/env bash
# Holds the completions for bash and zsh and the man page against the tool's own help: every command that
# `attend --help` lists, and every option that `attend COMMAND --help` lists, is in all of them.
#
#   tests/tool/test_completions.sh TOOL
set -uo pipefail
here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd -P)
. "$here/../support/tap.sh"
tool=${1:?usage: $0 TOOL}
page=$here/../../man/attend.1
. "$here/../../packaging/completions/attend.bash"

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

# Models are those that the tool lists, paths and kernels those that it takes.
bash_knows_values() {
  local model found
  found=$(complete_words "$tool" bench --model '')
  for model in qwen2.5-0.5b llama-7b; do
    grep -qx "$model" <<<"$found" || return 1
  done
  "$tool" explain --model "$(head -n 1 <<<"$found")" --plan &&
    same avx2 "$(complete_words "$tool" bench --isa avx2)" &&
    same $'naive' "$(complete_words "$tool" bench --paths n)"
}

bash_knows_files() {
  grep -qx "$page" <<<"$(complete_words "$tool" inspect "$page")"
}

zsh_knows() {
  local line
  zsh -n "$here/../../packaging/completions/_attend" || return 1
  line=$(
    zsh -f -c '
      _describe() { print -l ${(P)2} }
      compadd() { [[ $1 == -- ]] && shift; print -l -- $@ }
      _files() { print files }
      words=("${(@)argv[3,-1]}") CURRENT=$#words
      source "$2"
    ' zsh "$tool" "$here/../../packaging/completions/_attend" "$tool" "$@"
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
  for name in attend.1 attend.3; do
    warnings=$(LC_ALL=C.UTF-8 MANWIDTH=80 man --warnings -l "${page%/*}/$name" 2>&1 >/dev/null)
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
done
check 'bash: what is typed narrows' bash_narrows
check 'bash: values' bash_knows_values
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
