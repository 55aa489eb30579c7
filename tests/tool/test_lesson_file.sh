#!/usr/bin/env bash
# tests/tool/test_lesson_file.sh TOOL JSON_CHECK - wrong lesson files of `attend explain`:
# each gives one sentence with the file, the place in it and what would be right, and exit status 1.
set -uo pipefail
here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd -P)
. "$here/../support/tool.sh"

unset OPENBLAS_CORETYPE OMP_NUM_THREADS OPENBLAS_NUM_THREADS

file=$scratch/lesson.json

# says PATTERN: the tool refuses $file in one sentence that matches.
says() {
  run_tool explain --no-restart "$file"
  exits 1 && err_lines 1 && err_has '^attend: .*lesson\.json: .*\.$' && err_has "$1" && out_is_empty
}

# wrong PATTERN TEXT: a file of this text.
wrong() {
  printf '%s' "$2" >"$file"
  says "$1"
}

# with PATTERN MEMBERS: a right lesson, in which the members replace those of their name.
with() {
  wrong "$1" "{\"K\": [[1, 0], [0, 1]], \"V\": [[1], [2]], $2}"
}

# A layer of one head whose other matrices fit.
layer_with() {
  wrong "$1" "{\"X\": [[1, 2], [3, 4]], $2}"
}

weights='"W_q": [[1, 0], [0, 1]], "W_k": [[1, 0], [0, 1]], "W_v": [[1, 0], [0, 1]]'

what_is_right_is_taken() {
  printf '{"Q": [[1, 2]], "K": [[1, 0], [0, 1]], "V": [[1], [2]]}' >"$file"
  run_tool explain --no-restart "$file"
  exits 0 && printf '{"X": [[1, 2], [3, 4]], %s}' "$weights" >"$file" &&
    run_tool explain --no-restart "$file" && exits 0
}

not_json() {
  wrong 'the file is empty; a JSON object is expected' '' &&
    wrong 'not valid JSON at 1:[0-9]+ \(line:column\)' 'hello' &&
    wrong 'not valid JSON at 2:[0-9]+ \(line:column\)' $'{"Q": [[1, 2]],\n "K" [[1, 2]]}' &&
    wrong 'not valid JSON .*end of file' '{"Q": [[1, 2]' &&
    wrong 'JSON is an array; an object is expected' '[[1, 2]]' &&
    wrong 'JSON is 3; an object is expected' '3' &&
    wrong 'not valid JSON .*duplicate' '{"heads": 1, "heads": 2}' &&
    wrong 'not valid JSON' $'{"name": "\xff\xfe"}' &&
    wrong 'not valid JSON' '{"Q": [[1,]]}' && wrong 'not valid JSON .*end of file expected' '{} {}'
}

not_numbers() {
  with 'NaN.*; every element must be a finite number' '"Q": [[NaN, 1]]' &&
    with 'Infinity.*; every element must be' '"Q": [[Infinity, 1]]' &&
    with 'Q\[0\]\[1\] is 1e\+39; a number of at most 3.4e38 is expected' '"Q": [[1, 1e39]]' &&
    with 'not valid JSON .*overflow' '"Q": [[1, 1e999]]' &&
    with 'Q\[1\]\[0\] is the string "two"; a number is expected' '"Q": [[1, 2], ["two", 1]]' &&
    with 'Q\[0\]\[0\] is null; a number' '"Q": [[null, 2]]' &&
    with 'Q\[0\]\[0\] is an array; a number' '"Q": [[[1, 2]]]' &&
    with 'Q\[0\]\[1\] is true; a number' '"Q": [[1, true]]'
}

no_matrices() {
  with 'Q is 3; an array of rows or the name of a \.npy file is expected' '"Q": 3' &&
    with 'Q is an object; an array of rows' '"Q": {"0": 1}' &&
    with 'Q is empty; an array of rows is expected' '"Q": []' &&
    with 'Q\[0\] is empty; a row of numbers' '"Q": [[]]' &&
    with 'Q\[0\] is 1; an array of numbers, a row, is expected' '"Q": [1, 2]' &&
    with 'Q\[1\] has 3 elements; 2 are expected, as in Q\[0\]' '"Q": [[1, 2], [1, 2, 3]]' &&
    with 'Q\[2\] has 1 element; 2 are' '"Q": [[1, 2], [1, 2], [1]]' &&
    layer_with 'b_q\[0\] is an array; a number is expected' "$weights, \"b_q\": [[1, 2]]"
}

shapes_of_a_layer() {
  layer_with 'W_q is missing; X goes with W_q, W_k and W_v, or with W_qkv' '"W_o": [[1, 2]]' &&
    layer_with 'W_q has 3 rows; 2 are expected, one for each column of X' \
      '"W_q": [[1], [2], [3]], "W_k": [[1]], "W_v": [[1]]' &&
    layer_with 'W_k has 1 column; 2 are expected, 2 for each of 1 key/value head' \
      '"W_q": [[1, 0], [0, 1]], "W_k": [[1], [1]], "W_v": [[1], [1]]' &&
    layer_with 'W_q has 2 columns, which 3 heads cannot share' "$weights, \"heads\": 3" &&
    layer_with 'kv_heads is 2, which does not divide the 3 query heads' \
      "$weights, \"heads\": 3, \"kv_heads\": 2" &&
    layer_with 'W_o has 3 rows; 2 are expected, 2 for each of 1 query head' \
      "$weights, \"W_o\": [[1, 1], [1, 1], [1, 1]]" &&
    layer_with 'W_o has 3 columns; 2 are expected, because the output is as wide as X' \
      "$weights, \"W_o\": [[1, 1, 1], [1, 1, 1]]" &&
    layer_with 'b_v has 1 element; 2 are expected, one for each column of W_v' \
      "$weights, \"b_v\": [1]" &&
    layer_with 'b_o is given without W_o' "$weights, \"b_o\": [1, 2]" &&
    layer_with 'b_qkv stands beside separate' "$weights, \"b_qkv\": [1, 2, 3, 4, 5, 6]"
}

shapes_of_fused_weights() {
  layer_with 'W_q stands beside W_qkv' "$weights, \"W_qkv\": [[1, 2, 3], [1, 2, 3]]" &&
    layer_with 'W_qkv has 4 columns, which do not divide into 1 query, 1 key and 1 value' \
      '"W_qkv": [[1, 2, 3, 4], [1, 2, 3, 4]]' &&
    layer_with 'W_qkv has 1 row; 2 are expected' '"W_qkv": [[1, 2, 3]]' &&
    layer_with 'b_q stands beside W_qkv, whose bias is b_qkv' \
      '"W_qkv": [[1, 2, 3], [1, 2, 3]], "b_q": [1]' &&
    layer_with 'b_qkv has 2 elements; 3 are' '"W_qkv": [[1, 2, 3], [1, 2, 3]], "b_qkv": [1, 2]' &&
    layer_with 'W_qkv has 4 columns, .* by the rows of W_o' \
      '"W_qkv": [[1, 2, 3, 4], [1, 2, 3, 4]], "W_o": [[1, 1]]'
}

shapes_of_a_core() {
  with 'Q is missing; give Q, K and V, or X with weights' '"heads": 1' &&
    wrong 'X is missing; give X with weights, or Q, K and V' '{}' &&
    with 'X stands beside Q, K and V' '"Q": [[1, 2]], "X": [[1, 2]]' &&
    with 'K has 2 columns; 3 are expected' '"Q": [[1, 2, 3]]' &&
    wrong 'V has 1 row; 2 are expected, one for each row of K' \
      '{"Q": [[1]], "K": [[1], [2]], "V": [[1]]}' &&
    with 'V has 1 columns?, which 2 heads cannot share' '"Q": [[1, 2]], "heads": 2'
}

other_fields() {
  with 'no field "W_p"; the nearest one is "W_(q|k|v|o)"\.' '"Q": [[1, 2]], "W_p": [[1]]' &&
    with 'no field "casual"; the nearest one is "causal"\.' '"Q": [[1, 2]], "casual": true' &&
    with 'no field "colour"; the fields are X, W_q' '"Q": [[1, 2]], "colour": 1' &&
    with 'heads is 0; a whole number from 1 to 65536' '"Q": [[1, 2]], "heads": 0' &&
    with 'heads is 1\.5; a whole' '"Q": [[1, 2]], "heads": 1.5' &&
    with 'kv_heads is the string "1"; a whole' '"Q": [[1, 2]], "kv_heads": "1"' &&
    with 'causal is 1; true or false' '"Q": [[1, 2]], "causal": 1' &&
    with 'scale is 0; a number other than 0' '"Q": [[1, 2]], "scale": 0' &&
    with 'scale is the string "big"' '"Q": [[1, 2]], "scale": "big"' &&
    with 'scale is 1e\+300' '"Q": [[1, 2]], "scale": 1e300' &&
    with 'round is 10; a whole number from 0 to 9' '"Q": [[1, 2]], "round": 10' &&
    with 'normalization is the string "l2"; "softmax" or "sum"' '"Q": [[1, 2]], "normalization": "l2"' &&
    with 'name is 3; a string' '"Q": [[1, 2]], "name": 3' &&
    with 'about holds a control character' '"Q": [[1, 2]], "about": "two\nlines"'
}

tokens() {
  with 'tokens has 3 elements; 2 are expected, one for each row of K' \
    '"Q": [[1, 2]], "tokens": ["a", "b", "c"]' &&
    with 'tokens is the string "a b"; an array of 2 strings' '"Q": [[1, 2]], "tokens": "a b"' &&
    with 'tokens\[1\] is 2; a string of 1 to 31 bytes' '"Q": [[1, 2]], "tokens": ["a", 2]' &&
    with 'tokens\[0\] is the string ""' '"Q": [[1, 2]], "tokens": ["", "b"]' &&
    with 'tokens\[0\] is the string ".\[31m"' '"Q": [[1, 2]], "tokens": ["\u001b[31m", "b"]' &&
    with 'tokens\[0\] is the string' "\"Q\": [[1, 2]], \"tokens\": [\"$(printf 'a%.0s' {1..40})\", \"b\"]"
}

masks() {
  with 'mask is 1 x 3; 1 x 2 is expected, queries by keys' '"Q": [[1, 2]], "mask": [[1, 1, 0]]' &&
    with 'mask\[0\]\[1\] is 2; 1 \(visible\) or 0 \(hidden\)' '"Q": [[1, 2]], "mask": [[1, 2]]' &&
    with 'mask\[0\]\[1\] is the string "no"' '"Q": [[1, 2]], "mask": [[1, "no"]]' &&
    with 'mask is true; an array of rows' '"Q": [[1, 2]], "mask": true'
}

too_deep() {
  wrong 'more than 8 brackets are open at 1:9' '[[[[[[[[[]]]]]]]]]' &&
    head -c 15000000 /dev/zero | tr '\0' '[' >"$file" && says 'more than 8 brackets are open at 1:9' &&
    printf '{"name": "[[[[[[[[[[", "Q": [[1]], "K": [[1]], "V": [[1]]}' >"$file" || return
  run_tool explain --no-restart "$file"
  exits 0
}

# A gigabyte of brackets; the disk holds only its first block.
too_large() {
  printf '[[[[' >"$file" && truncate -s 1G "$file" &&
    says 'the file has 1073741824 bytes; at most 16777216 are read, and larger arrays .* \.npy'
}

not_a_file() {
  rm -f "$file"
  says 'the file cannot be opened: No such file' || return
  mkdir "$file" && says 'this is a directory; a regular file is expected' || return
  rmdir "$file"
  mkfifo "$file" && says 'this is a device, pipe or socket' || return
  rm "$file"
}

# npy FILE SHAPE BYTES: an array of f4 in version 1.0 of the format.
npy() {
  local header="{'descr': '<f4', 'fortran_order': False, 'shape': $2, }"
  printf '\x93NUMPY\x01\x00\x76\x00%-117s\n' "$header" >"$1"
  printf '%b' "$3" >>"$1"
}

npy_files() {
  local one='\x00\x00\x80\x3f' nan='\x00\x00\xc0\x7f'
  npy "$scratch/good.npy" '(1, 2)' "$one$one"
  npy "$scratch/nan.npy" '(1, 2)' "$one$nan"
  npy "$scratch/flat.npy" '(2,)' "$one$one"
  npy "$scratch/short.npy" '(1, 2)' "$one"
  npy "$scratch/wide.npy" '(1, 3)' "$one$one$one"
  npy "$scratch/none.npy" '(0, 2)' ''
  with 'Q\[0\]\[1\] is nan in nan\.npy; a finite number is expected' '"Q": "nan.npy"' &&
    with 'Q: flat\.npy holds an array of 1 dimension; 2 are expected' '"Q": "flat.npy"' &&
    with 'Q: .*short\.npy: ' '"Q": "short.npy"' &&
    with 'K has 2 columns; 3 are expected' '"Q": "wide.npy"' &&
    with 'Q: none\.npy holds no elements' '"Q": "none.npy"' &&
    with 'Q: .*absent\.npy: ' '"Q": "absent.npy"' &&
    with 'Q: .*lesson\.json: ' '"Q": "lesson.json"' || return
  printf '{"Q": "good.npy", "K": [[1, 0], [0, 1]], "V": [[1], [2]]}' >"$file"
  run_tool explain --no-restart "$file"
  exits 0
}

check 'what is right is taken' what_is_right_is_taken
check 'files that are no JSON object' not_json
check 'elements that are no finite numbers' not_numbers
check 'matrices that are none, ragged rows' no_matrices
check 'shapes of a layer that do not fit' shapes_of_a_layer
check 'shapes of fused weights that do not fit' shapes_of_fused_weights
check 'shapes of Q, K and V that do not fit' shapes_of_a_core
check 'unknown fields, and values out of range' other_fields
check 'tokens' tokens
check 'masks' masks
check 'brackets too deep' too_deep
check 'files too large' too_large
check 'what is no file' not_a_file
check '.npy files' npy_files
finish
