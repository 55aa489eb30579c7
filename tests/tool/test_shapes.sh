#!/usr/bin/env bash
# tests/tool/test_shapes.sh TOOL JSON_CHECK - `attend shapes`: shapes, elements, bytes and FLOPs that were worked out
# by hand, with numbers and with letters; every form; the quiz and its key.
set -uo pipefail
here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd -P)
. "$here/../support/tool.sh"

run() {
  run_tool shapes "$@"
}

# row LABEL SHAPE [AMOUNTS]: a line of the text form; [N × d] stands for the shape as it is printed.
row() {
  grep -qE -e "^  +$1 .*\\[$2\\] +${3:-.*}\$" "$out" || disagree "a row $1 [$2] ${3:-}"
}

# json INDEX-OF-SECTION INDEX-OF-ROW MEMBER=VALUE...
json() {
  local place=sections.$1.rows.$2 members=()
  shift 2
  for member in "$@"; do members+=("$place.$member"); done
  json_has "${members[@]}"
}

qwen_head() {
  run --model qwen2.5-0.5b --tokens 50 --section head
  exits 0 && err_is_empty && row 'input to this head' '50 × 896' '44 800 +179 200 +-' &&
    row queries '50 × 64' '3 200 +12 800 +5 734 400' && row keys '50 × 64' '3 200 +12 800 +5 734 400' &&
    row values '50 × 64' '3 200 +12 800 +5 734 400' &&
    row 'self-attention scores' '50 × 50' '2 500 +10 000 +320 000' &&
    row 'self-attention weights' '50 × 50' '2 500 +10 000 +-' &&
    row 'output of this head after' '50 × 896' '44 800 +179 200 +5 734 400' &&
    out_has '^    projection back to embedding space$'
}

llama_head() {
  run --model llama-7b --tokens 100 --section head
  exits 0 && row 'input to this head' '100 × 4096' && row queries '100 × 128' && row keys '100 × 128' &&
    row values '100 × 128' && row 'self-attention scores' '100 × 100' &&
    row 'self-attention weights' '100 × 100' && row 'output of this head after' '100 × 4096' &&
    row queries '100 × 128' '12 800 +51 200 +104 857 600'
}

# 2 key/value heads: QKV has 14 * 64 + 2 * 2 * 64 = 1152 columns.
qwen_layer() {
  run --model qwen2.5-0.5b --tokens 50 --section layer
  exits 0 && row 'fused weights' '896 × 1152' '1 032 192 +4 128 768 +-' && row 'fused biases' 1152 &&
    row 'fused projection' '50 × 1152' '57 600 +230 400 +103 219 200' &&
    row 'queries as produced +Q = QKV columns 0:896' '50 × 896' &&
    row 'keys as produced +K = QKV columns 896:1024' '50 × 128' &&
    row 'values as produced +V = QKV columns 1024:1152' '50 × 128' &&
    row 'scores of all heads' '14 × 50 × 50' '35 000 +140 000 +4 480 000' &&
    row 'heads side by side' '50 × 896' && row 'weights of the output' '896 × 896' &&
    row output '50 × 896' '44 800 +179 200 +80 281 600' &&
    out_has '^  all products together +192 460 800$' && out_has '14 query heads share 2 key/value heads'
}

qwen_as_mha() {
  run --model qwen2.5-0.5b --tokens 50 --as-mha --section layer,chunks
  exits 0 && row 'fused weights' '896 × 2688' && row 'keys as produced +K = QKV columns 896:1792' '50 × 896' &&
    row 'values as produced +V = QKV columns 1792:2688' '50 × 896' &&
    row 'values +V_13 = QKV columns 2624:2688' '50 × 64' &&
    tr '\n' ' ' <"$out" | grep 'The real model has 2 key/value heads,.* 128 columns in place of 896, and W_qkv 1152 in place of 2688' >/dev/null &&
    run --model llama-7b --as-mha && exits 0 && err_has '^attend: --as-mha changes nothing: llama-7b'
}

chunks_of_the_layer() {
  run --model qwen2.5-0.5b --tokens 50 --section chunks
  exits 0 && [ "$(grep -c ' = QKV columns ' "$out")" -eq 18 ] && row 'queries +Q_3 = QKV columns 192:256' '50 × 64' &&
    row 'keys +K_1 = QKV columns 960:1024' '50 × 64' && row 'values +V_0 = QKV columns 1024:1088' '50 × 64' &&
    run --model llama-7b --tokens 100 --section chunks && exits 0 &&
    [ "$(grep -c ' = QKV columns ' "$out")" -eq 96 ] && row 'queries +Q_31 = QKV columns 3968:4096' '100 × 128' &&
    row 'values +V_31 = QKV columns 12160:12288' '100 × 128'
}

many_heads_have_a_rule() {
  run --d-model 1024 --heads 512 --tokens 3 --section chunks
  exits 0 && [ "$(grep -c ' = QKV columns ' "$out")" -eq 3 ] && out_has 'V_i = QKV columns 2048 . 2·i:2050 . 2·i' &&
    out_has '^i is any head'
}

letters_for_one_head() {
  run --tokens N --d-model d --heads h
  exits 0 && row 'weights of the queries +W_q' 'd × d/h' 'd²/h +4·d²/h +-' &&
    row 'queries +Q = X W_q' 'N × d_k' 'N·d/h +4·N·d/h +2·N·d²/h' && row 'values +V = X W_v' 'N × d_v' &&
    row 'scaled scores' 'N × N' 'N² +4·N² +-' && row 'scores before scaling' 'N × N' 'N² +4·N² +2·N²·d/h' &&
    row 'weights of the output +W_o' 'd/h × d' && row 'fused weights' 'd × 3·d' '3·d² +12·d² +-' &&
    row 'queries +Q_i = QKV columns d·i/h:d·i/h . d/h' 'N × d_k' && out_has '^d_k = d_v = d/h:' &&
    out_has '^  all products together +8·N·d² . 4·N²·d$'
}

batched_block_of_letters() {
  run --batch B --tokens n --d-model d
  exits 0 && row 'weights of the (queries|keys|values) +W_q' 'd × d' && row 'queries' 'B × n × d' 'B·n·d +4·B·n·d +2·B·n·d²' &&
    row keys 'B × n × d' && row values 'B × n × d' && row 'scores before scaling +Q Kᵀ' 'B × n × n' 'B·n² +4·B·n² +2·B·n²·d' &&
    row 'scaled scores' 'B × n × n' && row 'softmax of each row' 'B × n × n' &&
    row 'weights times values +Y = A V' 'B × n × d' && row 'weights of the output +W_o' 'd × d' &&
    row 'output +Y W_o' 'B × n × d' '.* 2·B·n·d²'
}

batched_block_of_numbers() {
  run --batch 2 --tokens 3 --d-model 4
  exits 0 && row 'weights of the queries +W_q' '4 × 4' '16 +64 +-' && row 'queries' '2 × 3 × 4' '24 +96 +192' &&
    row 'scores before scaling' '2 × 3 × 3' '18 +72 +144' && row 'output +Y W_o' '2 × 3 × 4' '24 +96 +192'
}

# The table of letters is the table of numbers: with the numbers put in, each formula gives the same. awk
# computes the formulas, with its ^ for powers.
letters_agree_with_numbers() {
  local formula number
  run --batch B --tokens N --d-model d --heads h --kv-heads g --head-dim k --json
  exits 0 || return
  grep -E '"(elements|bytes|flops)":' "$out" >"$scratch/letters"
  run --batch 3 --tokens 7 --d-model 40 --heads 6 --kv-heads 2 --head-dim 5 --section head,block,layer --json
  exits 0 || return
  grep -E '"(elements|bytes|flops)":' "$out" >"$scratch/numbers"
  # Chunks come last and have another number of rows.
  head -n "$(wc -l <"$scratch/numbers")" "$scratch/letters" | paste -d'|' - "$scratch/numbers" >"$scratch/both"
  [ "$(wc -l <"$scratch/both")" -gt 60 ] || disagree 'rows of both' || return
  while IFS='|' read -r formula number; do
    formula=$(sed -E 's/^[^:]*: *//; s/[",]//g; s/·/*/g; s/²/^2/g; s/−/-/g; s/\bnull\b/-1/' <<<"$formula")
    number=$(sed -E 's/^[^:]*: *//; s/[",]//g; s/\bnull\b/-1/' <<<"$number")
    formula=$(awk -v B=3 -v N=7 -v d=40 -v h=6 -v g=2 -v k=5 "BEGIN { print $formula }" </dev/null)
    [ "$formula" = "$number" ] || disagree "$number, not $formula" || return
  done <"$scratch/both"
}

one_letter_twice_is_one_size() {
  run --d-model d --head-dim d --heads h --tokens N --section layer
  exits 0 && row 'fused weights' 'd × 3·d·h' && row 'weights of the output' 'd·h × d'
}

a_letter_beside_a_preset() {
  run --model llama-7b --section head
  exits 0 && row 'input to this head' 'N × 4096' && row queries 'N × 128' '128·N +512·N +1048576·N' &&
    row 'self-attention scores' 'N × N'
}

config_is_read() {
  echo '{"model_type": "llama", "hidden_size": 64, "num_attention_heads": 4, "num_key_value_heads": 1,
         "num_hidden_layers": 2}' >"$scratch/config.json"
  run --config "$scratch/config.json" --tokens 9 --section layer
  exits 0 && row 'fused weights' '64 × 96' && row 'keys as produced +K = QKV columns 64:80' '9 × 16'
}

causal_of_one_head() {
  run --causal --tokens 6 --d-model 512
  exits 0 && row 'scores before the mask' '6 × 6' '36 +144 +36 864' && row 'mask: 0, upper triangle −∞' '6 × 6' &&
    row 'masked scores +S . M' '6 × 6' && row 'weights, rows sum to 1' '6 × 6' &&
    row 'context +Z = A V' '6 × 512' '3 072 +12 288 +36 864' &&
    out_has '^Of 36 scores of a head the mask leaves 21, .* hides 15[.]$' && ! grep -q 'all heads' "$out"
}

# Row i of the drawn mask has i + 1 zeros and then only −∞.
mask_is_a_triangle() {
  sed -n '/^Mask M/,/^$/p' "$out" | sed '1d;$d' | awk '
    { for (j = 1; j <= 6; j++) if ($j != (j <= NR ? "0" : "−∞")) bad = 1; if (NF != 6) bad = 1 }
    END { exit bad || NR != 6 }' || disagree 'a triangle'
}

causal_of_many_heads() {
  run --causal --tokens 6 --d-model 512 --heads 8
  exits 0 && row 'context +Z = A V' '6 × 64' && row 'scores before the mask' '8 × 6 × 6' &&
    row 'context +Z = A V' '8 × 6 × 64' && row 'contexts side by side' '6 × 512' || return
  run --causal --tokens 6 --d-model 512 --heads h
  exits 0 && row 'context +Z = A V' '6 × d_v' && row 'scores before the mask' 'h × 6 × 6' &&
    row 'contexts side by side' '6 × 512' && out_has '^d_k = d_v = 512/h' || return
  run --causal --tokens N --d-model d
  exits 0 && out_has '^Of N² scores of a head the mask leaves N²/2 . N/2,' && ! grep -q '^Mask M' "$out"
}

json_has_the_figures() {
  run --model qwen2.5-0.5b --tokens 50 --json
  exits 0 && json_has schema_version=1 sections#3 sections.0.id=head sections.1.id=layer sections.2.id=chunks \
    sections.0.rows#8 sections.2.rows#18 purpose=whole &&
    json 0 1 id=queries shape#2 shape.0=50 shape.1=64 elements=3200 bytes=12800 flops=5734400 number=2 &&
    json 0 5 id=weights flops=null && json 1 5 id=keys columns.0=896 columns.1=1024 &&
    json 2 17 id=value_chunk notation=V_1 columns.1=1152
}

json_of_letters() {
  run --tokens N --d-model d --heads h --causal --json
  exits 0 && json 0 4 id=context shape.0=N shape.1=d_v elements=N·d/h flops=2·N²·d/h || return
  run --tokens 3 --d-model 8 --causal --json
  exits 0 && json_has mask#3 mask.0.0=0 mask.0.1=-inf mask.2.2=0
}

markdown_is_a_table() {
  run --model qwen2.5-0.5b --tokens 50 --markdown
  exits 0 && out_has '^\| self-attention scores \| `S = Q Kᵀ/√d_k` \| `\[50 × 50\]` \| 2 500 \| 10 000 \| 320 000 \|$' &&
    out_has '`W_qkv = \[W_q \\\| W_k \\\| W_v\]`' && out_has '^## qwen2.5-0.5b: 50 tokens' &&
    sed 's/\\|//g' "$out" | awk -F'|' '/^\|/ && NF != 8 { print; bad = 1 } END { exit bad }'
}

quiz_has_blanks() {
  run --model qwen2.5-0.5b --tokens 50 --quiz
  exits 0 && out_has '^ +2  queries +Q = X W_q +\[____ × ____\] +____ +____ +____$' &&
    out_has 'Q = QKV columns ____:____ ' && ! grep -qE '5 734 400|1152|128|\[50|columns [0-9]' "$out" &&
    ! grep -q 'K has' "$out"
}

# The key answers every numbered question of the quiz, by the same number and name.
key_answers_the_quiz() {
  cp "$out" "$scratch/quiz"
  run --model qwen2.5-0.5b --tokens 50 --key
  exits 0 && ! grep -q '____' "$out" && out_has '^ +2  queries +Q = X W_q +\[50 × 64\] +3 200 +12 800 +5 734 400$' &&
    diff <(sed -nE 's/^( +[0-9]+  [a-z][a-z -]*[a-z]) .*/\1/p' "$scratch/quiz" | tr -s ' ') \
      <(sed -nE 's/^( +[0-9]+  [a-z][a-z -]*[a-z]) .*/\1/p' "$out" | tr -s ' ') &&
    [ "$(grep -cE '^ +[0-9]+  ' "$out")" -eq 40 ]
}

quiz_in_other_forms() {
  run --tokens 6 --d-model 512 --causal --quiz --json
  exits 0 && json_has purpose=quiz && json 0 0 shape.0=null elements=null flops=null &&
    ! grep -q '"mask": \[' "$out" || return
  run --tokens 6 --d-model 512 --causal --quiz --markdown
  exits 0 && out_has '^\| 1 \| scores before the mask \|.*`\[____ × ____\]`( \| (\\_){4}){3} \|$'
}

usage_is_checked() {
  refuses 'shapes needs --model, --config or --d-model: ' && refuses 'no model "bert"' --model bert &&
    refuses 'one model at a time' --model llama-7b,qwen2.5-0.5b &&
    refuses '--model and --heads do not go together' --model llama-7b --heads 4 &&
    refuses '--tokens: "3x" is not a whole number' --d-model 8 --tokens 3x &&
    refuses '--tokens: "n-1" is neither a number nor a letter' --d-model 8 --tokens n-1 &&
    refuses '--tokens: "" is not' --d-model 8 --tokens '' && refuses '--batch: 0 is out of range' --d-model 8 --batch 0 &&
    refuses '--heads 3 does not divide --d-model 8' --d-model 8 --heads 3 &&
    refuses '--kv-heads 3 does not divide --heads 4' --d-model 8 --heads 4 --kv-heads 3 &&
    refuses '--quiz .* --key' --d-model 8 --quiz --key && refuses '--markdown and --json' --d-model 8 --json --markdown &&
    refuses '--as-mha needs --model or --config' --d-model 8 --as-mha && refuses 'no section "tail"' --d-model 8 --section head,tail &&
    refuses '--section: item 2 of the list is empty' --d-model 8 --section head, && refuses 'no option --token7; did you mean --tokens' --token7 5 --d-model 8 &&
    refuses '"all" is not an option' all && refuses '--tokens needs a value' --d-model 8 --tokens
}

what_cannot_be_counted() {
  run --batch 65536 --tokens 16777216 --d-model 1048576 --heads 1048576
  exits 1 && err_lines 1 && err_has '^attend: the layer is too large' && out_is_empty || return
  run --config /nonexistent.json
  exits 1 && err_lines 1 && err_has '^attend: --config: ' && out_is_empty
}

check 'one head of qwen2.5-0.5b at 50 tokens' qwen_head
check 'one head of llama-7b at 100 tokens' llama_head
check 'the layer of qwen2.5-0.5b' qwen_layer
check 'as plain multi-head attention' qwen_as_mha
check 'the columns of each head' chunks_of_the_layer
check 'more heads than are listed' many_heads_have_a_rule
check 'letters' letters_for_one_head
check 'the batched block with letters' batched_block_of_letters
check 'the batched block with numbers' batched_block_of_numbers
check 'letters and numbers are one table' letters_agree_with_numbers
check 'a letter that is used twice' one_letter_twice_is_one_size
check 'a letter beside a preset' a_letter_beside_a_preset
check 'a config.json' config_is_read
check 'the causal guide, one head' causal_of_one_head
check 'its mask is a triangle' mask_is_a_triangle
check 'the causal guide, many heads' causal_of_many_heads
check 'JSON' json_has_the_figures
check 'JSON with letters and a mask' json_of_letters
check 'Markdown' markdown_is_a_table
check 'a quiz has blanks and no answers' quiz_has_blanks
check 'its key has the answers' key_answers_the_quiz
check 'a quiz as JSON and Markdown' quiz_in_other_forms
check 'wrong usage is one sentence' usage_is_checked
check 'what cannot be counted or read' what_cannot_be_counted
finish
