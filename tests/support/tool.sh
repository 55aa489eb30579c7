# tests/support/tool.sh - running the tool and saying what it did. Sourced by the scripts that test a command,
# with their arguments TOOL JSON_CHECK; brings tap.sh along.
#
# The last run's output is in $out and $err, its exit status in $status, its words in $ran.
. "$here/../support/tap.sh"

tool=${1:?usage: $0 TOOL JSON_CHECK}
json_check=${2:?usage: $0 TOOL JSON_CHECK}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
out=$scratch/out err=$scratch/err

# run_tool ARGUMENT...: variables before the call (A=B run_tool ...) reach the tool.
run_tool() {
  ran="attend $*"
  status=0
  "$tool" "$@" >"$out" 2>"$err" || status=$?
}

# Statements about the last run. A false one says what was seen.
disagree() {
  printf '%s: expected %s; exit status %d\n' "$ran" "$1" "$status"
  sed 's/^/stdout: /' "$out" | head -n 40
  sed 's/^/stderr: /' "$err" | head -n 10
  return 1
}
exits() { [ "$status" -eq "$1" ] || disagree "exit status $1"; }
out_has() { grep -qE -e "$1" "$out" || disagree "/$1/ on stdout"; }
out_is_empty() { [ ! -s "$out" ] || disagree 'nothing on stdout'; }
err_has() { grep -qE -e "$1" "$err" || disagree "/$1/ on stderr"; }
err_is_empty() { [ ! -s "$err" ] || disagree 'nothing on stderr'; }
err_lines() { [ "$(wc -l <"$err")" -eq "$1" ] || disagree "$1 lines on stderr"; }
json_has() { "$json_check" "$out" "$@" || disagree "JSON with $*"; }

# refused STATUS PATTERN: the last run said one sentence on stderr that matches, and nothing else.
refused() {
  exits "$1" && err_lines 1 && err_has '^attend: .*[.?]$' && err_has "$2" && out_is_empty
}

# refuses PATTERN ARGUMENT...: `run`, which the script defines, takes the arguments for wrong usage.
refuses() {
  local pattern=$1
  shift
  run "$@"
  refused 2 "$pattern"
}
