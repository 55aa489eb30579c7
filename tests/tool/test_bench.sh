#!/usr/bin/env bash
# tests/tool/test_bench.sh TOOL JSON_CHECK - what `attend bench` measures: every kind of row, that the figures
# of a row agree with each other, and kernels.
set -uo pipefail
here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd -P)
. "$here/bench_tool.sh"

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
        out_has "^$family .* $isa .*(compute|bandwidth) +<?[0-9.]+%\$" || return
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

# Programs that keep every core busy are seen, where the system counts its cores' time.
other_programs_are_noted() {
  local busy=() core
  for ((core = 0; core < 2 * $(nproc); core++)); do
    while :; do :; done &
    busy+=($!)
  done
  run --model qwen2.5-0.5b --tokens 64 --threads 1 --paths naive --time-limit 1 --repeat 20 "${brief[@]}"
  kill "${busy[@]}"
  wait "${busy[@]}" 2>/dev/null
  exits 0 && out_has '^note +other programs had [0-9.]+% of the time of the [0-9]+ cores?:'
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
if grep -qE '^cpu[0-9]+ .*[1-9]' /proc/stat 2>/dev/null; then
  check 'other programs on the cores are noted' other_programs_are_noted
else
  skip 'other programs on the cores are noted' 'there is no /proc/stat'
fi
check '--config in place of a model, with a name that CSV must quote' config_in_place_of_a_model
check '--repeat decides the samples' repeat_decides_the_samples
finish
