#!/usr/bin/env bash
# tests/tool/test_explain.sh TOOL JSON_CHECK - `attend explain`: the figures of the handouts as the tool
# prints them, worked out by hand here; paths against each other; files written. test_lesson_file.sh
# checks wrong lesson files, test_explain_by_hand.sh the example by-hand.
set -uo pipefail
here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd -P)
. "$here/explain_tool.sh"

# --- single-head ---
# Q K^T = [[12, 4], [4, 4]]; row 0 of the weights is 1 / (1 + exp(-8 / sqrt 2)) = 0.9965.

single_head() {
  explains single-head &&
    matrix_is ' X, given.*\[2 × 2\]$' '1 1' '0 1' &&
    matrix_is ' query  Q: X W_q  \[2 × 2\]$' '4 0' '1 1' &&
    matrix_is ' key  K: X W_k  \[2 × 2\]$' '3 1' '1 3' &&
    matrix_is ' value  V: X W_v  \[2 × 2\]$' '2 0' '0 2' &&
    matrix_is ' unscaled_scores  Q Kᵀ:' '12 4' '4 4' &&
    matrix_is ' scores  S: .*times 0.707107  \[2 × 2\]$' '8.4853 2.8284' '2.8284 2.8284' &&
    matrix_is ' weights  A:' '0.9965 0.0035 sum 1.0000' '0.5000 0.5000 sum 1.0000' &&
    matrix_is ' context  H:' '1.9930 0.0070' '1.0000 1.0000' &&
    matrix_is ' output  Y = H W_o  \[2 × 2\]$' '3.9861 0.0070' '2.0000 1.0000'
}

single_head_rounded() {
  explains single-head --round 2 &&
    matrix_is ' weights  A: rounded to 2 digits' '1.00 0.00 sum 1.00' '0.50 0.50 sum 1.00' &&
    matrix_is 'output, exact' '3.9861 0.0070' '2.0000 1.0000' \
      'output, with weights rounded to 2 digits' '4 0' '2 1' 'largest difference 0.01393' &&
    explains single-head --round 0 && matrix_is ' weights  A: rounded to 0' '1 0 sum 1' '1 1 sum 2'
}

single_head_causal() {
  explains single-head --causal && matrix_is ' mask  M:' '0 -inf' '0 0' &&
    matrix_is ' weights  A:' '1.0000 0.0000 sum 1.0000' '0.5000 0.5000 sum 1.0000' &&
    matrix_is ' output  Y' '4 0' '2 1'
}

scale_in_place_of_the_lessons() {
  explains single-head --scale 1 && matrix_is ' scores  S:' '12 4' '4 4' &&
    ! grep -q unscaled "$out"
}

# --- multi-head ---

multi_head() {
  explains multi-head &&
    matrix_is ' Q, given.*\[2 × 4\]$' '15 0 | 0 15' '0 15 | 15 0' &&
    matrix_is ' query  Q_0: columns 0 to 1 of Q  \[2 × 2\]$' '15 0' '0 15' &&
    matrix_is ' query  Q_1: columns 2 to 3 of Q  \[2 × 2\]$' '0 15' '15 0' &&
    matrix_is ' key  K_0: columns 0 to 1 of K' '15 0' '0 15' &&
    matrix_is ' key  K_1: columns 2 to 3 of K' '15 0' '0 15' &&
    matrix_is ' value  V_0: columns 0 to 1 of V' '1 0' '0 1' &&
    matrix_is ' value  V_1: columns 2 to 3 of V' '1 2' '2 1' &&
    matrix_is ' context  H_0:' '1 0' '0 1' && matrix_is ' context  H_1:' '2 1' '1 2' &&
    matrix_is ' concat  H: .*\[2 × 4\]$' '1 0 | 2 1' '0 1 | 1 2' &&
    matrix_is ' output  Y = H W_o  \[2 × 4\]$' '3 1 2 2' '1 3 2 2'
}

one_head_of_several() {
  explains multi-head --head 1 && out_has ' context  H_1:' && ! grep -q 'H_0:' "$out" &&
    refuses 2 'no head 2; .* heads 0 to 1' multi-head --head 2
}

# --- causal ---

causal() {
  explains causal && out_has ' scores  S: .*\[6 × 6\]$' &&
    matrix_is ' mask  M: .*\[6 × 6\]$' 'the dog sees a small cat' 'the 0 -inf -inf -inf -inf -inf' \
      'dog 0 0 -inf -inf -inf -inf' 'sees 0 0 0 -inf -inf -inf' 'a 0 0 0 0 -inf -inf' \
      'small 0 0 0 0 0 -inf' 'cat 0 0 0 0 0 0' || return
  rows ' masked_scores  S \+ M:' | grep '^dog 1.0000 2.0000 -inf -inf -inf -inf$' >/dev/null &&
    [ "$(rows ' weights  A:' | grep -c 'sum 1.0000$')" -eq 6 ] &&
    rows ' weights  A:' | grep '^the 1.0000 0.0000 0.0000 0.0000 0.0000 0.0000 sum' >/dev/null &&
    rows ' weights  A:' | grep '^dog 0.2689 0.7311 0.0000 0.0000 0.0000 0.0000 sum' >/dev/null &&
    rows ' context  H: .*also called Z: .*\[6 × 4\]$' | grep '^dog 0.2689 0.7311 0.0000 0.0000$' >/dev/null ||
    disagree 'the masked scores, weights and context of six tokens'
}

# --- block-matrix ---

block_matrix() {
  explains block-matrix &&
    matrix_is 'A \[B_0 . B_1\], one product  \[2 × 4\]$' '4 0 | 3 1' '1 1 | 1 3' &&
    matrix_is '\[A B_0 . A B_1\], side by side' '4 0 | 3 1' '1 1 | 1 3' 'largest difference 0' &&
    out_has '^class: E = 64, D = 32, Hq = 2' && out_has '^qwen2.5-0.5b: E = 896' || return
  [ "$(grep -cE '^     [QKV]  .* of [0-9]+ ' "$out")" -eq 6 ] || disagree 'six products'
}

# The largest differences are fp32's rounding, and the matrices compared are not zero.
block_matrix_at_a_models_width() {
  local path
  for path in naive blas tiled; do
    explains block-matrix --model gpt2-small --tokens 20 --path "$path" --json &&
      json_has sizes#2 sizes.0.products.0.elements=1280 sizes.1.products.2.elements=15360 || return
    awk -F': ' '/"largest_difference"/ && $2 + 0 > 1e-4 { bad = 1 }
      /"largest_element"/ && $2 + 0 < 1 { bad = 1 } END { exit bad }' "$out" ||
      disagree 'differences of rounding' || return
  done
}

# --- a model ---

model_on_random_data() {
  explains --model qwen2.5-0.5b --tokens 50 --head 3 &&
    out_has 'N = 50, E = 896, Hq = 14, Hk = 2, D = 64' && out_has 'query  Q_3: columns 192 to 255 of X W_q \+ b_q, rotated by RoPE.*\[50 × 64\]$' &&
    out_has 'key  K_0: columns 0 to 63 of X W_k' && out_has 'weights  A_3: .*\[50 × 50\]$' &&
    out_has '^     row 0     0: 1.0000$' && out_has '1225 of 2500 elements -inf' &&
    out_has 'concat .*\[50 × 896\]$' && ! grep -q 'A_0' "$out" || return
  [ "$(grep -cE '^     row [0-9]+ ' "$out")" -eq 50 ] || disagree 'fifty rows' || return
  mv "$out" "$scratch/first"
  explains --model qwen2.5-0.5b --tokens 50 --head 3 && cmp "$out" "$scratch/first" &&
    explains --model qwen2.5-0.5b --tokens 50 --head 3 --seed 2 &&
    ! cmp -s "$out" "$scratch/first"
}

sizes_by_hand() {
  explains --d-model 512 --heads 8 --tokens 6 --json &&
    json_has problem.head_dim=64 problem.query_tokens=6 traces#1 traces.0.path=naive
}

heavy_lessons_leave_naive_out() {
  explains --d-model 2048 --heads 1 --head-dim 64 --tokens 7000 --threads 1 --plan &&
    out_has '^path tiled'
  refuses 2 'its own tokens' causal --tokens 7
}

# --- paths ---

paths_agree() {
  explains single-head --path all && out_has '^  scores( +[0-9.e-]+){3}$' &&
    out_has 'formed once more, by their own product' &&
    out_has '^  naive +[0-9.]+ [mun]*s a call$' && out_has '^  blas +[0-9.]+ [mun]*s a call$' &&
    out_has '^  tiled +[0-9.]+ [mun]*s a call$' || return
  explains --model qwen2.5-0.5b --tokens 40 --path all --json &&
    json_has traces#3 traces.1.path=blas traces.2.path=tiled differences.0.name || return
  awk -F': ' '/"largest_difference"/ { n++; if ($2 !~ /^[0-9.]+(e-[0-9]+)?,?$/ || $2 + 0 > 1e-4) bad = 1 }
    END { exit bad || n < 15 }' "$out" || disagree 'small differences at every matrix'
}

one_path() {
  explains causal --path tiled && out_has '^Path tiled$' && out_has 'keeps Q, K, V' &&
    matrix_is ' concat  H:' 'the 1.0000 0.0000 0.0000 0.0000' 'dog 0.2689 0.7311 0.0000 0.0000' \
      'sees 0.2119 0.5761 0.2119 0.0000' 'a 0.2028 0.1230 0.5512 0.1230' \
      'small 0.2983 0.3032 0.1145 0.5130' 'cat 0.3898 0.4529 0.2724 0.3225' &&
    explains single-head --path blas && matrix_is ' output  Y' '3.9861 0.0070' '2.0000 1.0000'
}

a_path_that_refuses() {
  printf '{"Q": [[1, 2]], "K": [[1, 0], [0, 1]], "V": [[1], [2]], "heads": 1, "normalization": "sum"}' \
    >"$scratch/sum.json"
  printf '{"X": [[1, 2], [2, 1]], "W_qkv": [[1, 1, 0], [0, 1, 1]], "normalization": "sum"}' \
    >"$scratch/layer.json"
  explains "$scratch/layer.json" --path all && out_has '^  tiled +not run: ' &&
    out_has '^  naive +[0-9.]+ ' && refuses 1 'SUM|sum' "$scratch/layer.json" --path tiled
}

plans() {
  explains --model llama-7b --tokens 32768 --plan && out_has '^path tiled' &&
    out_has 'naive refuses .* 32768 x 32768' && out_has 'blas +refuses .* bytes' &&
    explains single-head && out_has '^Plan of this size$' && out_has '^  tiled taken' &&
    explains --model llama-7b --tokens 32768 --plan --json &&
    json_has plan.path=tiled plan.verdicts#3 traces#0
}

# --- forms of output ---

json_form() {
  explains single-head --round 2 --json &&
    json_has schema.name=attend-explain schema.version=1 problem.width=2 problem.given#5 traces#2 \
      traces.1.round=2 traces.0.normalization=softmax traces.0.matrices.0.elements#2 plan.path &&
    explains by-hand --json && json_has traces.1.normalization=sum problem.tokens.1=cat &&
    explains causal --json && grep -q null "$out"
}

colour_on_request() {
  explains causal && ! grep -q $'\x1b' "$out" && explains causal --color always &&
    grep -q $'\x1b' "$out" && explains by-hand --color always && grep -q $'\x1b' "$out" &&
    explains causal --color never && ! grep -q $'\x1b' "$out" || disagree 'colour on request only'
  refuses 2 'no colour "yes"; give auto, always or never' causal --color yes
}

saved_matrices_come_back() {
  run_tool explain --no-restart multi-head --save "$scratch/saved"
  exits 0 && err_has '22 matrices of path naive' || return
  local name
  for name in Q K V W_o query_0 weights_1 context_0 concat output unscaled_scores_1; do
    [ -s "$scratch/saved/$name.npy" ] || disagree "$name.npy" || return
  done
  cat >"$scratch/again.json" <<'JSON'
{"Q": "saved/Q.npy", "K": "saved/K.npy", "V": "saved/V.npy", "W_o": "saved/W_o.npy", "heads": 2}
JSON
  explains "$scratch/again.json" && matrix_is ' output  Y' '3 1 2 2' '1 3 2 2' &&
    refuses_to_save
}

refuses_to_save() {
  run_tool explain --no-restart multi-head --save /proc/none
  exits 1 && err_has '^attend: --save: .*/proc/none' && err_lines 1
}

# --- pictures ---

pictures() {
  explains causal --draw "$scratch/layer.svg" --heatmap "$scratch/heat.svg" || return
  grep -q '<svg' "$scratch/layer.svg" && grep -q '</svg>' "$scratch/layer.svg" &&
    grep -q 'small' "$scratch/heat.svg" && grep -q 'masked_scores' "$scratch/heat.svg" &&
    grep -q '</svg>' "$scratch/heat.svg" || disagree 'two pictures' || return
  # Where nothing is masked, no map has masked scores for a title.
  explains multi-head --heatmap "$scratch/heat.svg" --draw text && out_has 'W_o' && out_has 'H_1' || return
  grep -q '>scores, head 1<' "$scratch/heat.svg" && ! grep -q masked "$scratch/heat.svg" ||
    disagree 'maps of scores and weights'
}

pictures_refused() {
  refuses 2 'ends in neither .svg nor .png' causal --draw layer.txt &&
    refuses 2 'ends in neither .svg nor .png' causal --heatmap text &&
    refuses 2 'written by both' causal --draw a.svg --heatmap a.svg &&
    refuses 2 'nothing to draw' block-matrix --draw a.svg &&
    refuses 2 'leave out --plan' causal --plan --heatmap a.svg &&
    refuses 2 'name a file' causal --json --draw text &&
    refuses 1 'none/a\.svg' causal --draw "$scratch/none/a.svg"
}

# --- lesson files ---

file_of_a_layer() {
  cat >"$scratch/layer.json" <<'JSON'
{"name": "fused", "X": [[1, 1], [0, 1]],
 "W_qkv": [[3, -1, 2, -2, 2, -2], [1, 1, 1, 3, 0, 2]], "b_qkv": [0, 0, 0, 0, 0, 1],
 "W_o": [[2, 0], [0, 1]], "b_o": [0, 10], "tokens": ["a", "b"], "causal": true}
JSON
  explains "$scratch/layer.json" && out_has '^fused$' &&
    matrix_is ' query  Q: columns 0 to 1 of X W_qkv \+ b_qkv' 'a 4 0' 'b 1 1' &&
    matrix_is ' key  K: columns 2 to 3' 'a 3 1' 'b 1 3' &&
    matrix_is ' value  V: columns 4 to 5' 'a 2 1' 'b 0 3' &&
    matrix_is ' output  Y = H W_o \+ b_o' 'a 4 11' 'b 2 12'
}

# Two query heads read one key/value head; the mask hides key 0 from query 1.
file_with_groups_and_mask() {
  cat >"$scratch/group.json" <<'JSON'
{"Q": [[1, 0, 0, 1], [1, 1, 2, 0]], "K": [[1, 0], [0, 1]], "V": [[1, 5], [2, 6]],
 "heads": 2, "kv_heads": 1, "mask": [[true, true], [0, 1]], "scale": 1}
JSON
  explains "$scratch/group.json" && matrix_is ' mask  M:' '0 0' '-inf 0' &&
    matrix_is ' key  K_0' '1 0' '0 1' && [ "$(grep -c ' key  K_0' "$out")" -eq 1 ] &&
    matrix_is ' concat  H' '1.2689 5.2689 | 1.7311 5.7311' '2.0000 6.0000 | 2.0000 6.0000' &&
    ! grep -q ' output ' "$out"
}

# --- usage ---

usage() {
  refuses 2 'nothing to explain is named' && refuses 2 'did you mean by-hand' by-hnad &&
    refuses 2 'no example and no file "painting"' painting &&
    refuses 2 '"causal" and "by-hand" are two arguments' causal by-hand && refuses 2 'a lesson of its own' causal --model llama-7b &&
    refuses 2 'exclude each other' causal --causal --bidirectional &&
    refuses 2 'there is no path "fast"; give tiled, blas, naive or all' causal --path fast &&
    refuses 2 'rounding goes on from' single-head --round 2 --path tiled &&
    refuses 2 'range; give a number from 0 to 9' single-head --round 10 &&
    refuses 2 'one model at a time' --model llama-7b,qwen2.5-0.5b &&
    refuses 2 '0 would make all scores equal' causal --scale 0 &&
    refuses 1 'nothing\.json: the file cannot be opened' "$scratch/nothing.json"
}

check 'single-head: every matrix' single_head
check 'single-head: going on with rounded weights' single_head_rounded
check 'single-head: with a causal mask' single_head_causal
check 'another scale' scale_in_place_of_the_lessons
check 'multi-head: chunks, heads, concat, output' multi_head
check 'one head of several' one_head_of_several
check 'causal: mask, masked scores, weights, context' causal
check 'block-matrix: the identity and both sizes' block_matrix
check 'block-matrix: other paths and widths' block_matrix_at_a_models_width
check 'a model on random data' model_on_random_data
check 'sizes by hand' sizes_by_hand
check 'heavy lessons' heavy_lessons_leave_naive_out
check 'all paths agree' paths_agree
check 'one path' one_path
check 'a path that refuses is said to' a_path_that_refuses
check 'plans of any size' plans
check 'JSON' json_form
check 'colour only where asked for' colour_on_request
check 'saved matrices come back' saved_matrices_come_back
check 'drawings and heat maps' pictures
check 'pictures that cannot be drawn' pictures_refused
check 'a file of a layer, fused and with biases' file_of_a_layer
check 'a file with grouped heads and a mask' file_with_groups_and_mask
check 'wrong usage' usage
finish
