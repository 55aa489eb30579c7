#!/usr/bin/env bash
# tests/tool/test_bench_models.sh TOOL JSON_CHECK - layers of models in `attend bench`: what their models say of
# heads and scores, what options say in its place, chunks and caches. Every row is verified by the tool.
set -uo pipefail
here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd -P)
. "$here/bench_tool.sh"

# measured ROWS ARGUMENT...: a run of which so many rows are all measured, and none else.
measured() {
  local rows=$1
  shift
  run "$@" --csv
  exits 0 && [ "$(csv status | grep -c '^measured$')" -eq "$rows" ] && [ "$(csv status | wc -l)" -eq "$rows" ] ||
    disagree "$rows rows measured"
}

# write_config FILE: two layers, of which the first has a window of 4 keys.
write_config() {
  cat >"$1" <<'JSON'
{"model_type": "gemma2", "hidden_size": 48, "num_attention_heads": 4, "num_key_value_heads": 2,
 "head_dim": 16, "num_hidden_layers": 2, "query_pre_attn_scalar": 64, "rope_theta": 10000.0,
 "attn_logit_softcapping": 30.0, "sliding_window": 4, "attention_bias": false}
JSON
}

# --- models ---

config_is_right_by_itself() {
  write_config "$scratch/config.json"
  measured 3 --config "$scratch/config.json" "${brief[@]}" --repeat 1 --tokens 20 &&
    csv_is 'gemma2|0|true|false|0.125|30|3||false
gemma2|0|true|false|0.125|30|3||false
gemma2|0|true|false|0.125|30|3||false' model layer rope qk_norm scale softcap window_left window_right sinks
}

# Of the run before, 2 (D + Dv) Hq for each pair: tokens see 1, 2, 3 keys, and then 4.
window_leaves_pairs_out() {
  csv_is "$((4 * 16 * 4 * (6 + 17 * 4)))
$((4 * 16 * 4 * (6 + 17 * 4)))
$((4 * 16 * 4 * (6 + 17 * 4)))" core_flops
}

layer_is_chosen() {
  measured 1 --config "$scratch/config.json" "${brief[@]}" --repeat 1 --tokens 20 --layer 1 --paths tiled &&
    csv_is "1||$((4 * 16 * 4 * 20 * 21 / 2))" layer window_left core_flops
}

presets_are_right_by_themselves() {
  local model
  for model in gemma-2-2b qwen3-0.6b gpt-oss-20b gpt2-small; do
    measured 2 --model "$model" "${brief[@]}" --repeat 1 --tokens 3 --paths tiled,blas || return
  done
  csv_is 'false|false
false|false' rope qk_norm
}

preset_is_described() {
  run --model gemma-2-2b "${brief[@]}" --repeat 1 --tokens 2 --paths tiled
  exits 0 && out_has '^  layer 0 of 26: RoPE, window left 4095, softcap 50$'
}

# A core has neither RoPE nor norms, and the scores of its model.
core_has_the_models_scores() {
  measured 3 --config "$scratch/config.json" "${brief[@]}" --repeat 1 --tokens 20 --part core &&
    csv_is 'false|0.125|30|3
false|0.125|30|3
false|0.125|30|3' rope scale softcap window_left
}

equal_names_are_told_apart() {
  local deep="$scratch/a/directory/with/a/name/that/is/too/long/for/the/name/of/a/model"
  mkdir -p "$deep" && write_config "$deep/config.json"
  measured 3 --config "$scratch/config.json" --config "$deep/config.json" --model class-2x32 --repeat 1 \
    "${brief[@]}" --tokens 4 --paths tiled &&
    csv model | awk -v path="$scratch/config.json" '
      NR == 1 ? $0 != path : NR == 2 ? !/long\/for\/the\/name\/of\/a\/model\/config[.]json$/ : $0 != "class-2x32" {
        print; bad = 1
      }
      END { exit bad }' || disagree 'the paths of the files'
}

# --- chunks and caches ---

# FLOPs are those of the prefill in one call, whatever the chunks.
chunks_do_the_work_of_a_prefill() {
  local flops chunk
  measured 3 "${small[@]}" --tokens 33 && flops=$(csv flops core_flops) || return
  for chunk in 1 7 33 100; do
    measured 3 "${small[@]}" --tokens 33 --chunk "$chunk" && csv_is "$flops" flops core_flops &&
      csv_is "prefill|$chunk|33
prefill|$chunk|33
prefill|$chunk|33" mode chunk rows_checked || return
  done
}

chunks_of_several_sequences() {
  measured 6 "${small[@]}" --tokens 5,33 --chunk 6 --batch 3 &&
    measured 6 "${small[@]}" --tokens 5,33 --chunk 6 --batch 3 --part core
}

chunks_are_reported() {
  run "${small[@]}" --tokens 9 --chunk 4 --paths tiled --json --explain
  exits 0 && json_has options.chunk=4 options.mode=prefill rows.0.status=measured rows.0.check.rows=9 \
    rows.0.plan rows.0.time.phase_seconds.qk_norm_rope &&
    run "${small[@]}" --tokens 9 --chunk 4 --paths tiled && out_has 'prefill in chunks of 4 tokens, causal'
}

# K and V of the four keys that the one query sees, and a row of Q and of the output.
window_limits_bytes() {
  measured 3 "${small[@]}" --part core --decode --tokens 33 --window 3 &&
    csv_is "$(for _ in 1 2 3; do
      echo "$((4 * 16 * 4 * 4))|$((4 * (4 * 2 * 32 + 2 * 4 * 16)))"
    done)" flops bytes
}

# The plan is that of a call over a cache, from which the tiled path reads keys as they lie.
decode_of_the_core_reads_a_cache() {
  run "${small[@]}" --part core --decode --tokens 33 --paths tiled --explain
  exits 0 && out_has 'tiled taken .*read from the cache'
}

# --- options of the scores ---

# Every option on every path, in every mode of both parts, over a model that has options of its own.
option_in_every_mode() {
  local mode part
  for part in layer core; do
    for mode in --prefill --decode --bidirectional '--chunk 8'; do
      # shellcheck disable=SC2086
      measured 6 --config "$scratch/config.json" --d-model 32 --heads 2 "${brief[@]}" --repeat 1 --tokens 19 \
        --batch 2 --part "$part" $mode "$@" || return
    done
  done
}

options_are_in_the_rows() {
  measured 1 "${small[@]}" --tokens 9 --paths tiled --window 5,2 --softcap 12.5 --alibi --sinks --mask random:0.5 &&
    csv_is '0|12.5|5|2|true|true|random|0.5' layer softcap window_left window_right alibi sinks mask mask_share &&
    run "${small[@]}" --tokens 9 --paths tiled --window none,2 --mask bias --json && exits 0 &&
    json_has rows.0.scores.window_left=null rows.0.scores.window_right=2 rows.0.scores.softcap=null \
      rows.0.scores.alibi=false rows.0.scores.sinks=false rows.0.scores.mask=bias \
      rows.0.scores.mask_share=null rows.0.scores.scale=0.25 rows.0.scores.rope=false &&
    run "${small[@]}" --tokens 9 --paths tiled --alibi --mask random:0.5 && exits 0 &&
    out_has '^  layer 0 of 1: ALiBi, mask random:0.5$'
}

options_override_the_model() {
  measured 1 --config "$scratch/config.json" "${brief[@]}" --repeat 1 --tokens 20 --paths tiled --window none \
    --softcap 0 && csv_is "||$((4 * 16 * 4 * 20 * 21 / 2))" window_left softcap core_flops
}

# What a mask hides is counted: it is of no consequence for FLOPs.
masked_pairs_are_counted() {
  measured 3 "${small[@]}" --tokens 20 --mask random:0.9 &&
    csv_is "$(for _ in 1 2 3; do echo $((4 * 16 * 4 * 20 * 21 / 2)); done)" core_flops
}

options_are_explained() {
  run "${small[@]}" --tokens 40 --paths blas --window 3 --mask bias --softcap 5 --explain
  exits 0 && out_has '^  Plan of +40  blas' && out_has '^path blas'
}

# --- usage ---

values_are_checked() {
  local value
  for value in '' x 5,x ,5 5, 5,6,7 -1 1.5 99999999999999999999; do
    refuses '[-]-window: ' --window "$value" || return
  done
  for value in '' x -1 nan inf 1e99 1e-99 5x; do
    refuses '[-]-softcap: .*is not a cap' --softcap "$value" || return
  done
  for value in random: random:1 random:-0.1 random:x random:nan; do
    refuses '[-]-mask: .*is not a share' --mask "$value" || return
  done
  refuses '[-]-mask: there is no mask "causal"' --mask causal && refuses '[-]-chunk: 0 is out' --chunk 0 &&
    refuses '[-]-chunk: "x"' --chunk x && refuses '[-]-layer: "x"' --layer x &&
    refuses '[-]-layer: gemma-2-2b has 26 layers; give a number from 0 to 25' --model gemma-2-2b --layer 26 &&
    refuses 'takes no value' --alibi=2 && refuses 'takes no value' --sinks=1
}

contradictions_are_refused() {
  refuses '[-]-prefill and --decode' --prefill --decode && refuses '[-]-prefill and --decode' --decode --prefill &&
    refuses '[-]-csv and --json' --csv --json && refuses '[-]-csv and --json' --json --kernels --csv &&
    refuses '[-]-chunk and --decode do not go together' --decode --chunk 4 &&
    refuses '[-]-bidirectional' --bidirectional --chunk 4 || return
  local option
  for option in '--window 3' '--softcap 3' --alibi '--mask bias' --sinks '--chunk 4' '--layer 1' --prefill; do
    # shellcheck disable=SC2086
    refuses "[-]-kernels and ${option%% *} do not go together" --kernels $option || return
  done
}

help_names_every_option() {
  run --help
  local option
  exits 0 && for option in chunk layer window softcap alibi mask sinks; do
    out_has "(^|[ ,])--$option([ ,]|$)" || return
  done
}

check 'a config is right by itself' config_is_right_by_itself
check 'a window leaves pairs out' window_leaves_pairs_out
check '--layer chooses the layer' layer_is_chosen
check 'presets are right by themselves' presets_are_right_by_themselves
check 'what a layer does is described' preset_is_described
check "a core has its model's scores" core_has_the_models_scores
check 'models of the same name are told apart' equal_names_are_told_apart
check 'chunks do the work of a prefill' chunks_do_the_work_of_a_prefill
check 'chunks of several sequences' chunks_of_several_sequences
check 'chunks are reported' chunks_are_reported
check 'a window limits the bytes of a decode step' window_limits_bytes
check 'decode of the core reads a cache' decode_of_the_core_reads_a_cache
check 'without options, in every mode' option_in_every_mode
check '--window in every mode' option_in_every_mode --window 5
check '--window with two sides in every mode' option_in_every_mode --window 2,3
check '--softcap in every mode' option_in_every_mode --softcap 2
check '--alibi in every mode' option_in_every_mode --alibi
check '--mask random in every mode' option_in_every_mode --mask random:0.6
check '--mask bias in every mode' option_in_every_mode --mask bias
check '--sinks in every mode' option_in_every_mode --sinks
check 'all options in every mode' option_in_every_mode --window 7 --softcap 4 --alibi --mask random:0.9 --sinks
check 'options are in the rows' options_are_in_the_rows
check 'options override the model' options_override_the_model
check 'pairs that a mask hides are counted' masked_pairs_are_counted
check '--explain with options' options_are_explained
check 'values of options are checked' values_are_checked
check 'contradictions are refused' contradictions_are_refused
check 'help names every option' help_names_every_option
finish
