# Completion of attend for bash. Commands and options are those that the tool's own help lists, so that
# this file knows none of them; it knows which values an option takes.

_attend_commands() {
  "$1" --help 2>/dev/null | sed -n '/^Commands:/,/^$/s/^  \([a-z]*\) .*/\1/p'
}

_attend_options() {
  "$1" "$2" --help 2>/dev/null | sed -n 's/^  -/-/; s/   *.*//; /^-/p' |
    grep -oE -e '--[a-z][a-z-]*' | sort -u
}

_attend_values() {
  case $2 in
    --model) "$1" info --models 2>/dev/null | awk 'NR > 1 && NF > 1 { print $1 }' ;;
    --path | --paths) printf '%s\n' tiled blas naive ;;
    --isa) printf '%s\n' auto scalar avx2 avx512 avx512bf16 amx ;;
    --precision) printf '%s\n' fp32 bf16x6 bf16x3 bf16 ;;
    --storage) printf '%s\n' auto fp32 bf16 bf16x2 bf16x3 fp16 ;;
    --part) printf '%s\n' layer core ;;
    --mask) printf '%s\n' none random: bias ;;
    --section) printf '%s\n' head block layer chunks causal ;;
    --color) printf '%s\n' auto always never ;;
    --blas-core) printf '%s\n' best Haswell SkylakeX Zen ;;
  esac
}

_attend() {
  local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} values
  COMPREPLY=()
  if ((COMP_CWORD == 1)); then
    mapfile -t COMPREPLY < <(compgen -W "$(_attend_commands "$1") help --help --version" -- "$word")
    return
  fi
  if [[ ${COMP_WORDS[1]} == help ]]; then
    mapfile -t COMPREPLY < <(compgen -W "$(_attend_commands "$1")" -- "$word")
    return
  fi
  values=$(_attend_values "$1" "$before")
  if [[ -n $values ]]; then
    mapfile -t COMPREPLY < <(compgen -W "$values" -- "$word")
  elif [[ $word == -* ]]; then
    mapfile -t COMPREPLY < <(compgen -W "$(_attend_options "$1" "${COMP_WORDS[1]}")" -- "$word")
  else
    compopt -o filenames 2>/dev/null
    mapfile -t COMPREPLY < <(compgen -f -- "$word")
  fi
}

complete -F _attend attend
