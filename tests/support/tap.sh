# tests/support/tap.sh - TAP for shell scripts. Sourced by the check_*.sh.
#
# A case is a command: its exit status decides, and what it printed follows as comments if it failed.
# The plan comes last, so a script that ends early has none and counts as failed.

tap_cases=0
tap_failures=0

# check NAME COMMAND...
check() {
  local name=$1 output
  shift
  tap_cases=$((tap_cases + 1))
  if output=$("$@" 2>&1); then
    printf 'ok %d - %s\n' "$tap_cases" "$name"
  else
    tap_failures=$((tap_failures + 1))
    printf 'not ok %d - %s\n' "$tap_cases" "$name"
    printf '%s\n' "$output" | sed 's/^/# /'
  fi
}

# skip NAME REASON
skip() {
  tap_cases=$((tap_cases + 1))
  printf 'ok %d - %s # SKIP %s\n' "$tap_cases" "$1" "$2"
}

# finish: prints the plan and ends the script.
finish() {
  printf '1..%d\n' "$tap_cases"
  exit "$((tap_failures > 0))"
}
