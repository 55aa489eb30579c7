#!/usr/bin/env bash
# tests/tool/test_run.sh TOOL JSON_CHECK NPY_TOOL - `attend run` and `attend inspect` on files: random weights
# that are written, inspected, read again and continued from a cache.
set -uo pipefail
here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd -P)
. "$here/../support/tool.sh"
npy_tool=${3:?usage: $0 TOOL JSON_CHECK NPY_TOOL}
unset OPENBLAS_CORETYPE ATTEND_BLAS_CORE_APPLIED OPENBLAS_NUM_THREADS
export OMP_NUM_THREADS=2

model=$scratch/model
mkdir "$model"
cat >"$model/config.json" <<END
{"model_type": "qwen3", "hidden_size": 48, "num_attention_heads": 6, "num_key_value_heads": 2,
 "head_dim": 16, "num_hidden_layers": 2, "rms_norm_eps": 1e-6, "_name_or_path": "small"}
END

run() {
  run_tool run --no-restart "$@"
}

inspect() {
  run_tool inspect "$@"
}

# refuses STATUS PATTERN ARGUMENT...: of any command.
refuses() {
  local wanted=$1 pattern=$2
  shift 2
  run_tool "$@"
  refused "$wanted" "$pattern"
}

same() { cmp "$1" "$2" || disagree "$1 as $2"; }
close() { "$npy_tool" close "$@" || disagree "$1 near $2"; }

# --- random weights ---

random_weights_are_written() {
  run --random 7 --config "$model/config.json" --layer 1 --tokens 12 \
    --save-weights "$model/model.safetensors" --output "$scratch/random.npy"
  exits 0 && err_is_empty && out_has '^layer 1 of small, weights random' && out_has '12 tokens' &&
    out_has 'path  *tiled' || return
  # The input of the runs below: any numbers of the right width will do.
  cp "$scratch/random.npy" "$scratch/x.npy"
  run --random 7 --config "$model/config.json" --layer 1 --tokens 12 --output "$scratch/again.npy"
  exits 0 && same "$scratch/again.npy" "$scratch/random.npy"
}

seeds_differ() {
  run --random 8 --config "$model/config.json" --layer 1 --tokens 12 --output "$scratch/other.npy"
  exits 0 && ! cmp -s "$scratch/other.npy" "$scratch/random.npy"
}

a_model_by_name_or_dimensions() {
  run --random 1 --model class-2x32 --tokens 3 && exits 0 && out_has 'layer 0 of class-2x32' &&
    run --random 1 --d-model 32 --heads 4 --kv-heads 2 --tokens 3 && exits 0 &&
    out_has 'layer 0 of E32-Hq4-Hk2-D8'
}

# --- what was written ---

written_weights_are_inspected() {
  inspect "$model"
  exits 0 && err_is_empty && out_has ': 6 tensors, ' && out_has 'q_proj.weight  F32  *\[96, 48\]' &&
    out_has 'usable  *1$' && out_has 'fp32  *48.1 KiB  *48.1 KiB  *' &&
    out_has 'bf16  *24.1 KiB ' && out_has 'layer 0 .*layers.0.self_attn.q_proj.weight" is missing'
}

inspection_as_json() {
  inspect --json "$model"
  exits 0 && json_has schema.name=attend-inspect tensors#6 layers#2 model.name=small \
    layers.0.usable=false layers.1.usable=true layers.1.reason=null tensors.5.shape#2 \
    tensors.5.dtype=F32 layers.1.packed_bytes=49280 model_error=null &&
    json_has layers.1.packed_bytes_by_storage.fp32=49280 \
      layers.1.packed_bytes_by_storage.bf16x3=73856 layers.1.packed_bytes_by_storage.fp16=24704 \
      layers.0.packed_bytes_by_storage=null
}

inspection_without_a_model() {
  cp "$model/model.safetensors" "$scratch/alone.safetensors"
  inspect "$scratch/alone.safetensors"
  exits 0 && out_has 'model  *none: .*config.json: the file cannot be opened' || return
  inspect "$scratch/alone.safetensors" --config "$model/config.json"
  exits 0 && out_has 'usable  *1$' || return
  inspect --json "$scratch/alone.safetensors"
  exits 0 && json_has model=null layers#0
}

an_array_is_inspected() {
  inspect "$scratch/x.npy"
  exits 0 && out_has 'x.npy: <f4 \[12, 48\]' && out_has 'numbers  *576$' && out_has 'range' || return
  inspect "$scratch/x.npy" --json
  exits 0 && json_has array.shape#2 array.count=576 array.nan=0
}

nothing_of_a_terminal_is_obeyed() {
  local header='{"a\u001b[31mb\u009bc":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}}'
  { printf '%b' "\\x$(printf %x ${#header})\\0\\0\\0\\0\\0\\0\\0"; printf %s "$header"; } \
    >"$scratch/escape.safetensors"
  inspect "$scratch/escape.safetensors"
  exits 0 && out_has 'a\?\[31mb\?c' && ! grep -q $'\x1b' "$out" || return
  printf '%s' '{"weight_map":{"\u009bc":1}}' >"$scratch/escape.json"
  refuses 1 '"\?\?c": its file is 1' inspect "$scratch/escape.json"
}

# --- weights from files ---

loaded_weights_do_the_same() {
  run --weights "$model" --layer 1 --input "$scratch/x.npy" --output "$scratch/y.npy"
  exits 0 && out_has "weights $model" || return
  run --weights "$model/model.safetensors" --layer 1 --input "$scratch/x.npy" \
    --output "$scratch/file.npy"
  exits 0 && same "$scratch/file.npy" "$scratch/y.npy" || return
  run --random 7 --config "$model/config.json" --layer 1 --input "$scratch/x.npy" \
    --output "$scratch/seed.npy"
  exits 0 && same "$scratch/seed.npy" "$scratch/y.npy"
}

paths_and_threads_agree() {
  local path
  for path in naive blas tiled; do
    run --weights "$model" --layer 1 --input "$scratch/x.npy" --output "$scratch/$path.npy" \
      --path "$path" --threads 1
    exits 0 && out_has "path  *$path.*1 thread\$" && close "$scratch/$path.npy" "$scratch/y.npy" 0 ||
      return
  done
  run --weights "$model" --layer 1 --input "$scratch/x.npy" --output "$scratch/scalar.npy" \
    --isa scalar
  exits 0 && out_has 'tiled, scalar' && close "$scratch/scalar.npy" "$scratch/y.npy" 0
}

# --- the cache ---

a_cache_continues() {
  local cache=$scratch/cache.safetensors first
  "$npy_tool" slice "$scratch/x.npy" 0 7 "$scratch/x0.npy" &&
    "$npy_tool" slice "$scratch/x.npy" 7 4 "$scratch/x1.npy" &&
    "$npy_tool" slice "$scratch/x.npy" 11 1 "$scratch/x2.npy" || return
  for first in 0 7 11; do
    local part=$((first == 0 ? 0 : first == 7 ? 1 : 2))
    run --weights "$model" --layer 1 --input "$scratch/x$part.npy" --output "$scratch/part.npy" \
      --kv-cache "$cache"
    exits 0 && close "$scratch/part.npy" "$scratch/y.npy" "$first" || return
  done
  out_has '1 tokens, after 11 in the cache' || return
  inspect "$cache"
  exits 0 && out_has 'keys  *F32  *\[1, 12, 2, 16\]' && out_has 'values  *F32  *\[1, 12, 2, 16\]'
}

a_cache_of_another_shape_is_refused() {
  refuses 1 'cache.safetensors: tensor "keys" is of shape 1, 12, 2, 16; the shape 1, tokens, 4, 8 is' \
    run --random 1 --d-model 48 --heads 4 --kv-heads 4 --head-dim 8 --input "$scratch/x.npy" \
    --kv-cache "$scratch/cache.safetensors" --no-restart || return
  refuses 1 'tensor "keys" is missing' run --weights "$model" --layer 1 --input "$scratch/x.npy" \
    --kv-cache "$model/model.safetensors" --no-restart
}

a_failed_run_leaves_the_cache() {
  cp "$scratch/cache.safetensors" "$scratch/before"
  refuses 1 '/dev/full: the file cannot be written: No space' run --weights "$model" --layer 1 \
    --input "$scratch/x.npy" --output /dev/full --kv-cache "$scratch/cache.safetensors" --no-restart &&
    same "$scratch/cache.safetensors" "$scratch/before"
}

# A limit of 4 KiB stands for a disk that is full after as many. The reason is named, the file that was
# there stays, and nothing is left beside it.
a_file_that_grows_too_large() {
  local before
  echo before >"$scratch/large.npy"
  before=$(ls -A "$scratch")
  (
    ulimit -f 4
    refuses 1 'large.npy: the file cannot be written: File too large' run --random 1 --model class-1x512 \
      --tokens 64 --output "$scratch/large.npy" --no-restart
  ) && [ "$(cat "$scratch/large.npy")" = before ] && [ "$(ls -A "$scratch")" = "$before" ]
}

# --- intermediates ---

every_matrix_is_saved() {
  local name
  run --weights "$model" --layer 1 --input "$scratch/x.npy" --save-intermediates "$scratch/mid"
  exits 0 && out_has 'path  *naive' || return
  for name in query-b0-h5 key-b0-h1 value-b0-h0 scores-b0-h0 masked_scores-b0-h0 weights-b0-h5 \
    context-b0-h3 concat-b0 output-b0; do
    [ -s "$scratch/mid/$name.npy" ] || disagree "$name.npy" || return
  done
  close "$scratch/mid/output-b0.npy" "$scratch/y.npy" 0 &&
    inspect "$scratch/mid/weights-b0-h5.npy" && out_has '<f4 \[12, 12\]' && out_has 'range  *0 to 1$' &&
    inspect "$scratch/mid/key-b0-h1.npy" && out_has '<f4 \[12, 16\]' || return
  run --weights "$model" --layer 1 --input "$scratch/x.npy" --save-intermediates "$scratch/tiled" \
    --path tiled
  exits 0 && close "$scratch/tiled/weights-b0-h2.npy" "$scratch/mid/weights-b0-h2.npy" 0
}

# --- what makes no sense ---

usage_is_checked() {
  refuses 2 'run needs --weights or --random: there are no weights' run --input x.npy &&
    refuses 2 '--weights and --random do not go together' run --random 1 --weights x --input x.npy &&
    refuses 2 '--random needs --model, --config or --d-model' run --random 1 --tokens 4 &&
    refuses 2 'run needs --input or --tokens: there is no input' run --weights "$model" &&
    refuses 2 'run needs --input or --tokens' run --random 1 --model class-2x32 &&
    refuses 2 '--input has its own' run --random 1 --model class-2x32 --tokens 2 --input x.npy &&
    refuses 2 '--tokens needs --random' run --weights "$model" --tokens 4 &&
    refuses 2 '--save-weights needs --random' run --weights "$model" --input x.npy --save-weights y &&
    refuses 2 '--model and --d-model do not go together' run --random 1 --model class-2x32 --d-model 4 --tokens 2 &&
    refuses 2 '--model: more than one model' run --random 1 --model class-2x32,class-1x512 --tokens 2 &&
    refuses 2 'the path is missing' inspect && refuses 2 'more' inspect a more
}

files_are_checked() {
  refuses 1 'absent: the file cannot be opened' inspect "$scratch/absent" &&
    refuses 1 'absent/.*: the file cannot be opened' run --weights "$scratch/absent/" --input x.npy --no-restart &&
    refuses 1 'absent.safetensors: the file cannot' run --weights "$scratch/absent.safetensors" --input x.npy \
      --no-restart &&
    refuses 1 'config.json: the file cannot be opened: .*; --model, --config or dimensions can stand in' \
      run --weights "$scratch/alone.safetensors" --input x.npy --no-restart &&
    refuses 1 'the header would have' inspect "$scratch/x.npy.safetensors" &&
    refuses 1 'does not begin as a .npy' inspect "$scratch/alone.npy" &&
    refuses 1 '\[tokens, 48\] or \[batch, tokens, 48\] is expected' run --weights "$model" --layer 1 \
      --input "$scratch/mid/weights-b0-h0.npy" --no-restart &&
    refuses 1 'layers.0.self_attn.q_proj.weight" is missing; one of shape \[96, 48\]' \
      run --weights "$model" --input "$scratch/x.npy" --no-restart &&
    refuses 1 '--layer 2: the model small has 2 layers' run --weights "$model" --layer 2 \
      --input "$scratch/x.npy" --no-restart &&
    refuses 1 'has shape \[96, 48\]; \[64, 64\] is expected' run --weights "$model" --layer 1 \
      --d-model 64 --heads 2 --input "$scratch/x.npy" --no-restart
}

check 'random weights are written' random_weights_are_written
check 'seeds differ' seeds_differ
check 'a model by name or dimensions' a_model_by_name_or_dimensions
check 'written weights are inspected' written_weights_are_inspected
check 'inspection as JSON' inspection_as_json
check 'inspection without a model' inspection_without_a_model
check 'an array is inspected' an_array_is_inspected
check 'nothing of a terminal is obeyed' nothing_of_a_terminal_is_obeyed
check 'loaded weights do the same' loaded_weights_do_the_same
check 'paths and threads agree' paths_and_threads_agree
check 'a cache continues' a_cache_continues
check 'a cache of another shape is refused' a_cache_of_another_shape_is_refused
check 'a failed run leaves the cache' a_failed_run_leaves_the_cache
check 'a file that grows too large' a_file_that_grows_too_large
check 'every matrix is saved' every_matrix_is_saved
check 'usage is checked' usage_is_checked
cp "$scratch/x.npy" "$scratch/x.npy.safetensors"
cp "$scratch/alone.safetensors" "$scratch/alone.npy"
check 'files are checked' files_are_checked
finish
