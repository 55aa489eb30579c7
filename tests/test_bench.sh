#!/usr/bin/env bash
# tests/test_bench.sh TOOL JSON_CHECK - `attend bench` from outside: what it writes in each form, that
# its figures agree with each other, what it skips and refuses, and what Ctrl-C leaves.
#
# Everything is measured at sizes that take milliseconds. No case depends on how fast the machine is.
set -uo pipefail
here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd -P)
. "$here/tap.sh"

tool=${1:?usage: test_bench.sh TOOL JSON_CHECK}
json_check=${2:?usage: test_bench.sh TOOL JSON_CHECK}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
out=$scratch/out err=$scratch/err
brief=(--yardstick-time 0.001 --no-restart)
small=(--d-model 64 --heads 4 --kv-heads 2 --head-dim 16 --repeat 2 "${brief[@]}")

# run ARGUMENT...: runs `attend bench`; its output is in $out and $err, its exit status in $status.
run() {
  ran="attend bench $*"
  status=0
  "$tool" bench "$@" >"$out" 2>"$err" || status=$?
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
json_has() { "$json_check" "$out" "$@" || disagree "JSON with $*"; }

# csv COLUMN...: for each row of the CSV in $out the fields of these columns, separated by '|'. Fails
# unless every line is ended by CR LF and has as many fields as the header. Knows quoted fields.
csv() {
  awk -v wanted="$*" '
    function split_line(line, fields,   n, rest) {
      for (n = 0; line != "" || n == 0; ) {
        if (match(line, /^"([^"]|"")*"/)) {
          fields[++n] = substr(line, 2, RLENGTH - 2)
          gsub(/""/, "\"", fields[n])
        } else {
          match(line, /^[^,]*/)
          fields[++n] = substr(line, 1, RLENGTH)
        }
        rest = substr(line, RLENGTH + 1)
        if (rest == ",") fields[++n] = ""
        line = substr(rest, 2)
      }
      return n
    }
    !sub(/\r$/, "") { print "line " NR " does not end in CR LF"; exit 1 }
    { count = split_line($0, fields) }
    NR == 1 {
      width = count
      for (i = 1; i <= count; i++) at[fields[i]] = i
      columns = split(wanted, names, " ")
      next
    }
    count != width { print "line " NR " has " count " fields, the header " width; exit 1 }
    {
      line = ""
      for (i = 1; i <= columns; i++) line = line (i > 1 ? "|" : "") fields[at[names[i]]]
      print line
    }' "$out"
}

# csv_is EXPECTED COLUMN...: the fields of these columns, one row per line.
csv_is() {
  local expected=$1 found
  shift
  found=$(csv "$@")
  [ "$found" = "$expected" ] || disagree "in $*:
$expected
found:
$found
"
}

# --- what is measured ---

table_has_every_row() {
  run "${small[@]}" --tokens 5,33
  exits 0 && out_has '^E64-Hq4-Hk2-D16: E 64, Hq 4, Hk 2, D 16$' &&
    out_has '^ +5  tiled ' && out_has '^ +33  naive ' && out_has '^6 rows measured, 0 skipped, 0 failed' &&
    out_has 'Where the time goes' && out_has '^limits .*FMA peak [a-z0-9]+ .*sgemm .*read '
}

table_fits_120_columns() {
  awk 'length($0) > 120 { print "line " NR " has " length($0); wide = 1 } END { exit wide }' "$out"
}

csv_of_a_layer() {
  run "${small[@]}" --tokens 33,5 --csv
  exits 0 && csv_is 'E64-Hq4-Hk2-D16|layer|prefill|5|tiled|measured|
E64-Hq4-Hk2-D16|layer|prefill|5|blas|measured|
E64-Hq4-Hk2-D16|layer|prefill|5|naive|measured|
E64-Hq4-Hk2-D16|layer|prefill|33|tiled|measured|
E64-Hq4-Hk2-D16|layer|prefill|33|blas|measured|
E64-Hq4-Hk2-D16|layer|prefill|33|naive|measured|' model part mode tokens path status reason
}

# Of the run before: 2 N E (Hq D + 2 Hk D) + 2 N Hq D E, and 4 D Hq N (N + 1) / 2 in the core.
flops_of_a_layer() {
  csv_is "$(for n in 5 5 5 33 33 33; do
    core=$((4 * 16 * 4 * n * (n + 1) / 2))
    echo "$((2 * n * 64 * 128 + 2 * n * 64 * 64 + core))|$core"
  done)" flops core_flops
}

# Of the run before: the derived columns follow from the measured ones, and the phases fit into a call.
figures_agree() {
  csv flops bytes seconds_median seconds_min gflops gbps tokens tokens_per_second \
    qkv_projection_seconds packing_seconds scores_seconds softmax_seconds weighted_sum_seconds \
    attention_seconds output_projection_seconds other_seconds peak_share fma_gflops \
    read_share read_gbps error_share rows_checked |
    awk -F'|' '
      function differ(a, b) { return a - b > 1e-6 * b || b - a > 1e-6 * b }
      function wrong(what) { print "row " NR ": " what ": " $0; bad = 1 }
      $4 <= 0 || $4 > $3 { wrong("the minimum is not in (0, median]") }
      differ($5 * $3 * 1e9, $1) { wrong("gflops") }
      differ($6 * $3 * 1e9, $2) { wrong("gbps") }
      differ($8 * $3, $7) { wrong("tokens_per_second") }
      differ($17 * $18, $5) { wrong("peak_share") }
      differ($19 * $20, $6) { wrong("read_share") }
      $9 + $10 + $11 + $12 + $13 + $14 + $15 <= 0 { wrong("no phase took time") }
      $21 <= 0 || $21 > 1 { wrong("error_share") }
      $22 != $7 { wrong("not all rows were checked") }
      END { exit bad || NR == 0 }' || disagree 'figures that agree'
}

paths_report_their_memory() {
  csv path score_bytes scratch_bytes | awk -F'|' '
    $1 == "tiled" ? $2 != 0 : $2 <= 0 { print "scores: " $0; bad = 1 }
    $3 <= $2 { print "scratch: " $0; bad = 1 }
    END { exit bad || NR == 0 }' || disagree 'score matrices in blas and naive only'
}

# One token of each sequence against N keys: N - 1 in the cache and its own.
decode_of_a_layer() {
  run "${small[@]}" --decode --batch 2 --tokens 1,33 --csv
  exits 0 && csv_is "$(for n in 1 1 1 33 33 33; do
    echo "decode|2|$n|measured|$((2 * (2 * 64 * 128 + 2 * 64 * 64 + 4 * 16 * 4 * n)))|2"
  done)" mode batch tokens status flops rows_checked
}

# K and V of two kv heads and two sequences, and one row of Q and of the output for each sequence.
decode_of_the_core() {
  run "${small[@]}" --value-dim 8 --part core --decode --batch 2 --tokens 33 --csv
  local flops=$((2 * (2 * 16 + 2 * 8) * 4 * 33)) bytes=$((4 * (2 * 2 * 33 * 24 + 2 * 4 * 24)))
  exits 0 && csv_is "core|decode|measured|$flops|$bytes
core|decode|measured|$flops|$bytes
core|decode|measured|$flops|$bytes" part mode status flops bytes
}

core_in_both_directions() {
  run "${small[@]}" --part core --bidirectional --batch 2 --tokens 33 --csv --paths blas,tiled
  local flops=$((2 * 4 * 16 * 4 * 33 * 33))
  exits 0 && csv_is "blas|false|measured|$flops|66
tiled|false|measured|$flops|66" path causal status flops rows_checked
}

threads_are_a_list() {
  run "${small[@]}" --tokens 33 --paths tiled --threads 2,1,2 --csv
  exits 0 && csv_is '1|measured
2|measured' threads status
}

isa_is_forced() {
  run "${small[@]}" --tokens 33 --paths tiled --isa scalar --csv
  exits 0 && csv_is 'scalar|measured' isa status
}

# peaks ISA: of the JSON in $out, the FMA peak of one thread; "null" where it was not measured.
peak_of() {
  sed -n "/\"fma_gflops\"/,/}/s/^ *\"$1\": \([0-9.e+null]*\),\{0,1\}\$/\1/p" "$out" | head -n 1
}

# The core of a forced ISA is held against that ISA's peak, and both peaks are in the report.
forced_isa_has_its_own_peak() {
  run "${small[@]}" --part core --tokens 33 --paths tiled,blas --isa scalar --json
  exits 0 && json_has rows.0.isa=scalar && local scalar best widest &&
    widest=$(sed -n 's/^ *"isa_best": "\(.*\)",$/\1/p' "$out") && scalar=$(peak_of scalar) &&
    best=$(peak_of "$widest") && [ "$scalar" != null ] && [ "$best" != null ] || return
  sed -n 's/^ *"peak_gflops": \(.*\),$/\1/p' "$out" | paste -sd ' ' |
    awk -v scalar="$scalar" -v best="$best" '
      function differ(a, b) { return a - b > 1e-6 * b || b - a > 1e-6 * b }
      { exit NF != 2 || differ($1, scalar) || differ($2, best) }' ||
    disagree "tiled against $scalar and blas against $best GFLOP/s"
}

# Half of what makes these figures is checked by figures_agree; here: which limit is which.
limit_is_the_longer_of_two_times() {
  csv flops fma_gflops bytes read_gbps seconds_median limit limit_share | awk -F'|' '
    { compute = $1 / $2 / 1e9; bandwidth = $3 / $4 / 1e9
      bound = compute >= bandwidth ? compute : bandwidth
      if ($6 != (compute >= bandwidth ? "compute" : "bandwidth")) { print "limit: " $0; bad = 1 }
      if ((share = bound / $5 - $7) > 1e-6 * $7 || -share > 1e-6 * $7) { print "share: " $0; bad = 1 } }
    END { exit bad || NR == 0 }' || disagree 'the limit that takes longer'
}

several_models_in_every_mode() {
  local models=(--model class-2x32,class-2x32 --config "$scratch/config.json" --d-model 32 --heads 2)
  local mode
  cat >"$scratch/config.json" <<'JSON'
{"model_type": "qwen2", "hidden_size": 64, "num_attention_heads": 4, "num_key_value_heads": 2,
 "num_hidden_layers": 1}
JSON
  for mode in --prefill --decode --bidirectional '--part core' '--part core --decode'; do
    # shellcheck disable=SC2086
    run "${models[@]}" $mode --tokens 9,3 --threads 2,1 --paths blas,tiled --repeat 1 "${brief[@]}" --csv
    exits 0 && [ "$(csv status | grep -c '^measured$')" -eq 32 ] || disagree '32 rows measured' || return
  done
}

# --- kernels ---

kernels_of_every_isa() {
  run --kernels --repeat 2 "${brief[@]}"
  local isa families
  families=$("$tool" info --json --no-restart 2>/dev/null |
    sed -n '/"families"/,/]/s/^ *"\([a-z0-9_]*\)",\{0,1\}$/\1/p')
  [ -n "$families" ] || disagree 'the families of the manifest' || return
  exits 0 && out_has '^limits +FMA peak .*GFLOP/s, read .* GB/s$' && ! out_has 'no timing' >/dev/null &&
    for isa in $(awk '$1 == "R" { for (i = 3; i < NF; i += 2) print $i }' "$out"); do
      for family in $families; do
        out_has "^$family .* $isa .*(compute|bandwidth) +[0-9.]+%\$" || return
      done
    done && table_fits_120_columns
}

kernels_as_csv() {
  run --kernels --isa scalar --repeat 3 "${brief[@]}" --csv
  exits 0 && csv kernel isa samples ns_median ns_min flops bytes gflops gbps limit limit_share \
    fma_gflops read_gbps | awk -F'|' '
    function differ(a, b) { return a - b > 1e-6 * b || b - a > 1e-6 * b }
    function wrong(what) { print what ": " $0; bad = 1 }
    $2 != "scalar" || $3 != 3 { wrong("isa, samples") }
    $5 <= 0 || $5 > $4 { wrong("the minimum is not in (0, median]") }
    $6 ? differ($8 * $4, $6) : $8 != "" { wrong("gflops") }
    $7 ? differ($9 * $4, $7) : $9 != "" { wrong("gbps") }
    $10 == "compute" ? differ($11 * $12, $8) : differ($11 * $13, $9) { wrong("share") }
    $10 == "compute" ? $6 / $12 < $7 / $13 : $6 / $12 >= $7 / $13 { wrong("limit") }
    END { exit bad || NR < 13 }' || disagree 'figures that agree'
}

kernels_as_json() {
  run --kernels --isa scalar --repeat 1 "${brief[@]}" --json --output "$scratch/kernels.json"
  exits 0 && out_is_empty && mv "$scratch/kernels.json" "$out" &&
    json_has schema=attend-kernels schema_version=1 interrupted=false machine.processor \
      yardsticks.threads=1 yardsticks.fma_gflops.scalar yardsticks.read_gbps rows.0.kernel=pack_keys \
      rows.0.isa=scalar rows.0.flops=0.0 rows.0.bytes rows.0.time.samples#1 rows.0.time.gflops=null \
      rows.0.time.limit=bandwidth rows.0.time.limit_share
}

# The tiled path gives the same bits, so that the largest error is that of the inputs alone.
seed_decides_the_inputs() {
  local first second
  run "${small[@]}" --tokens 33 --paths tiled --seed 7 --threads 1 --csv
  first=$(csv max_error)
  run "${small[@]}" --tokens 33 --paths tiled --seed 7 --threads 2 --csv
  second=$(csv max_error)
  run "${small[@]}" --tokens 33 --paths tiled --seed 8 --csv
  [ -n "$first" ] && [ "$first" = "$second" ] && [ "$first" != "$(csv max_error)" ] ||
    disagree "$first twice, and another error for another seed; found $second and $(csv max_error)"
}

config_in_place_of_a_model() {
  cat >"$scratch/config.json" <<'JSON'
{"_name_or_path": "small, \"quoted\"", "model_type": "qwen2", "hidden_size": 64,
 "num_attention_heads": 4, "num_key_value_heads": 2, "num_hidden_layers": 1}
JSON
  run --config "$scratch/config.json" "${brief[@]}" --repeat 1 --tokens 5 --paths tiled --csv
  exits 0 && csv_is 'small, "quoted"|64|4|2|16|measured' model d_model heads kv_heads head_dim status
}

repeat_decides_the_samples() {
  run "${small[@]}" --tokens 33 --repeat 7 --csv
  exits 0 && csv_is '7
7
7' samples
}

# --- forms and files ---

json_of_a_layer() {
  run "${small[@]}" --tokens 5,33 --repeat 4 --threads 1,2 --json --explain
  exits 0 && json_has schema=attend-bench schema_version=2 interrupted=false rows_not_reached=0 \
    rows#12 yardsticks#2 yardsticks.1.threads=2 yardsticks.0.fma_gflops.scalar machine.processor blas.core \
    blas.threading options.part=layer options.seed=1 \
    rows.0.status=measured rows.0.path=tiled rows.0.reason=null rows.0.time.samples#4 \
    rows.0.time.seconds_median rows.0.time.phase_seconds#8 rows.0.check.rows=5 \
    rows.0.check.max_error rows.0.plan rows.11.threads=2 rows.11.path=naive rows.11.score_bytes
}

plans_are_explained() {
  run "${small[@]}" --tokens 5 --paths tiled --explain
  exits 0 && out_has '^  Plan of +5  tiled' && out_has '^path tiled' && out_has 'naive no '
}

output_is_a_file() {
  mkdir "$scratch/output" && echo before >"$scratch/output/rows.json" &&
    run "${small[@]}" --tokens 5 --paths tiled --json --output "$scratch/output/rows.json" &&
    exits 0 && out_is_empty && "$json_check" "$scratch/output/rows.json" rows#1 &&
    [ "$(ls "$scratch/output")" = rows.json ] || disagree 'rows.json and nothing beside it'
}

# Refused before anything is measured, with nothing left behind.
refuses_file() {
  local pattern=$1
  shift
  run "${small[@]}" --tokens 5 "$@"
  exits 1 && [ "$(wc -l <"$err")" -eq 1 ] && err_has "^attend: $pattern cannot be written: .*[.]$" &&
    out_is_empty
}

unwritable_files_are_refused() {
  mkdir "$scratch/unwritable" && mkdir "$scratch/unwritable/rows.dat" &&
    refuses_file '/nonexistent/rows' --output /nonexistent/rows &&
    refuses_file "$scratch" --output "$scratch" &&
    refuses_file '/nonexistent/plot.svg' --plot /nonexistent/plot.svg --output "$scratch/unwritable/out" &&
    refuses_file "$scratch/unwritable/rows.dat" --plot "$scratch/unwritable/rows.svg" &&
    [ "$(ls "$scratch/unwritable")" = rows.dat ] || disagree 'nothing left behind'
}

full_disk_is_reported() {
  run "${small[@]}" --tokens 5 --paths tiled --output /dev/full
  exits 1 && err_has '^attend: /dev/full could not be written: '
}

plot_is_drawn() {
  local form
  for form in svg png; do
    run "${small[@]}" --tokens 5,33 --threads 1,2 --plot "$scratch/drawn.$form" || return
    exits 0 && [ -s "$scratch/drawn.$form" ] || disagree "a picture in drawn.$form" || return
  done
  head -c 200 "$scratch/drawn.svg" | grep -q '<svg' &&
    head -c 4 "$scratch/drawn.png" | grep -q PNG && data_is_complete "$scratch/drawn.dat"
}

# data_is_complete FILE: six series of two lengths, with figures in every column but the scores of tiled.
data_is_complete() {
  awk '/^# E64/ { series++; tiled = /tiled/; next }
    /^#/ || NF == 0 { next }
    { rows++; for (i = 1; i <= 7; i++) if ($i == "?" && !(tiled && i == 4)) missing++ }
    NF != 7 { missing++ }
    END { if (series != 6 || rows != 12 || missing) { print series, rows, missing; exit 1 } }' "$1"
}

plot_without_gnuplot() {
  PATH=$scratch/no-programs run "${small[@]}" --tokens 5,33 --threads 1,2 --plot "$scratch/figures.svg"
  exits 0 && err_has '^attend: .*gnuplot is not installed.*figures[.]dat[.]$' && out_has '12 rows measured' &&
    data_is_complete "$scratch/figures.dat" && [ "$(ls "$scratch" | grep -c figures)" -eq 1 ] ||
    disagree 'figures.dat alone'
}

decode_is_plotted() {
  run "${small[@]}" --decode --tokens 9 --paths blas --plot "$scratch/decode.svg"
  exits 0 && [ -s "$scratch/decode.svg" ] && [ ! -s "$err" ] || disagree 'a picture without a complaint'
}

nothing_measured_is_plotted() {
  run "${small[@]}" --tokens 9 --paths blas --memory-limit 1 --plot "$scratch/nothing.svg"
  exits 0 && [ -s "$scratch/nothing.svg" ] && [ ! -s "$err" ] || disagree 'a picture without a complaint'
}

# --- what is skipped ---

scores_beyond_the_limit_are_skipped() {
  run "${small[@]}" --tokens 33 --memory-limit 1 --csv
  exits 0 && csv_is 'tiled|measured
blas|skipped
naive|skipped' path status && csv seconds_median reason | tail -n 2 | awk -F'|' '
    $1 != "" || $2 !~ /bytes.*--memory-limit raises it$/ { print; bad = 1 } END { exit bad }'
}

slow_rows_are_skipped() {
  run "${small[@]}" --tokens 33,3000 --paths naive --time-limit 0.005 --json
  exits 0 && json_has rows.0.status=measured rows.1.status=skipped rows.1.time=null rows.1.check=null \
    rows.1.flops && out_has '"naive would take about .* a call at the .* GFLOP/s it had at N = 33;.*--time-limit'
}

slow_rows_are_skipped_without_a_shorter_one() {
  run --d-model 64 --heads 4 "${brief[@]}" --tokens 6000 --paths naive --time-limit 0.01
  exits 0 && out_has '^ +6000  naive +[0-9]+  skipped: naive would take' && out_has '^0 rows measured, 1 skipped'
}

rows_beyond_memory_are_skipped() {
  run --d-model 1048576 --heads 1 "${brief[@]}" --tokens 16777216 --paths tiled,blas --json
  exits 0 && json_has rows#2 rows.0.status=skipped rows.1.status=skipped &&
    out_has 'GiB of memory, more than is available'
}

# --- Ctrl-C ---

# The second length takes minutes; the wait is lengthened until the first is there.
interrupt_leaves_rows() {
  local wait
  for wait in 3 6 12 24; do
    ran="attend bench, interrupted after $wait s" status=0
    timeout --preserve-status -s INT "$wait" "$tool" bench "${small[@]}" --tokens 5,20000 --repeat 300 \
      --time-limit 600 --paths tiled --json >"$out" 2>"$err" || status=$?
    exits 130 && json_has interrupted=true && err_has '^attend: interrupted .*not reached[.]$' || return
    "$json_check" "$out" rows.0.status=measured rows.0.time.samples#300 2>"$scratch/not-yet" || continue
    "$json_check" "$out" rows#1 rows_not_reached=1 || json_has rows#2 rows_not_reached=0
    return
  done
  disagree 'a row measured before the interrupt'
}

# --- usage ---

# refuses PATTERN ARGUMENT...: exit status 2 and one sentence on stderr that matches.
refuses() {
  local pattern=$1
  shift
  run "$@"
  exits 2 && [ "$(wc -l <"$err")" -eq 1 ] && err_has '^attend: ' && err_has "$pattern" && out_is_empty
}

usage_is_checked() {
  refuses 'x' --tokens x && refuses '0 is out of range' --tokens 0 && refuses 'no model "nope"' --model nope &&
    refuses '"auto"' --paths auto && refuses 'twice' --paths tiled,tiled && refuses 'fast' --paths fast &&
    refuses '"all"' --part all && refuses 'neither .svg nor .png' --plot plot.gif &&
    refuses '[-]-explain' --explain --csv && refuses 'extra' extra && refuses 'd-model' --heads 2 &&
    refuses 'time-limit' --time-limit 0 && refuses 'batch' --batch -1 && refuses 'config' --config /nonexistent &&
    refuses 'tokns' --tokns 5 && refuses 'yardstick-time' --yardstick-time 0 &&
    refuses '[-]-kernels: --tokens is for layers' --kernels --tokens 5 &&
    refuses '[-]-kernels: --plot is for layers' --kernels --plot x.svg
}

help_names_every_option() {
  run --help
  local option
  exits 0 && for option in model config tokens paths threads isa batch prefill decode part bidirectional \
    d-model heads kv-heads head-dim value-dim kernels repeat time-limit memory-limit yardstick-time seed csv json output plot \
    explain blas-core no-restart; do
    out_has "(^|[ ,])--$option([ ,]|$)" || return
  done
}

check 'the table has every row' table_has_every_row
check 'the table fits into 120 columns' table_fits_120_columns
check 'CSV of a layer, lengths in ascending order' csv_of_a_layer
check 'FLOPs are those of the formula' flops_of_a_layer
check 'figures of a row agree with each other' figures_agree
check 'the limit is the longer of two times' limit_is_the_longer_of_two_times
check 'paths report their memory' paths_report_their_memory
check 'decode of a layer' decode_of_a_layer
check 'decode of the core' decode_of_the_core
check 'core in both directions' core_in_both_directions
check '--threads is a list' threads_are_a_list
check '--isa is forced' isa_is_forced
check 'a forced ISA is held against its own peak' forced_isa_has_its_own_peak
check 'several models in every mode' several_models_in_every_mode
check 'kernels of every ISA, as a table' kernels_of_every_isa
check 'kernels as CSV' kernels_as_csv
check 'kernels as JSON, into a file' kernels_as_json
check '--seed decides the inputs' seed_decides_the_inputs
check '--config in place of a model, with a name that CSV must quote' config_in_place_of_a_model
check '--repeat decides the samples' repeat_decides_the_samples
check 'JSON of a layer' json_of_a_layer
check '--explain prints plans' plans_are_explained
check '--output writes a file and nothing else' output_is_a_file
check 'files that cannot be written are refused before measuring' unwritable_files_are_refused
if [ -c /dev/full ]; then
  check 'a full disk is reported' full_disk_is_reported
else
  skip 'a full disk is reported' 'there is no /dev/full'
fi
if command -v gnuplot >/dev/null; then
  check 'plots as SVG and PNG' plot_is_drawn
  check 'a plot of one decode row' decode_is_plotted
  check 'a plot of nothing but skipped rows' nothing_measured_is_plotted
else
  skip 'plots as SVG and PNG' 'there is no gnuplot'
  skip 'a plot of one decode row' 'there is no gnuplot'
  skip 'a plot of nothing but skipped rows' 'there is no gnuplot'
fi
check 'without gnuplot the figures are written' plot_without_gnuplot
check 'score matrices beyond the limit are skipped' scores_beyond_the_limit_are_skipped
check 'slow rows are skipped, judged by a shorter one' slow_rows_are_skipped
check 'slow rows are skipped, judged by a few tokens' slow_rows_are_skipped_without_a_shorter_one
check 'rows beyond the memory of the machine are skipped' rows_beyond_memory_are_skipped
check 'Ctrl-C leaves the rows measured so far' interrupt_leaves_rows
check 'wrong usage is refused' usage_is_checked
check 'help names every option' help_names_every_option
finish
