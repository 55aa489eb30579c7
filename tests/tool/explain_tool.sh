# tests/tool/explain_tool.sh - what the test_explain*.sh share: running `attend explain`, and reading the
# matrices that it prints.
. "$here/../support/tool.sh"

unset OPENBLAS_CORETYPE OMP_NUM_THREADS OPENBLAS_NUM_THREADS NO_COLOR

explains() {
  run_tool explain --no-restart "$@"
  exits 0 && err_is_empty
}

# refuses STATUS PATTERN ARGUMENT...: one sentence on stderr that matches, nothing else.
refuses() {
  local expected=$1 pattern=$2
  shift 2
  run_tool explain --no-restart "$@"
  refused "$expected" "$pattern"
}

# rows HEADING: the rows below the first heading that matches, up to the next empty line, with
# single spaces; a row's label, bars and sums included.
rows() {
  awk -v heading="$1" '
    found && /^$/ { exit }
    found { gsub(/ +/, " "); sub(/^ /, ""); print }
    !found && $0 ~ heading { found = 1 }' "$out"
}

# matrix_is HEADING ROW...
matrix_is() {
  local heading=$1 expected
  shift
  expected=$(printf '%s\n' "$@")
  [ "$(rows "$heading")" = "$expected" ] ||
    disagree "below /$heading/: $(tr '\n' ';' <<<"$expected"), not $(rows "$heading" | tr '\n' ';')"
}
