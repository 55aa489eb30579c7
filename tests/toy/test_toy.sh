#!/usr/bin/env bash
# tests/toy/test_toy.sh TOOL TOY MAKE_CHECKPOINT COPY_CHECKPOINT ORACLE_CONTINUE - the engine of examples/toy as
# a program: what it generates through every path, ISA and chunking, how it samples, and what it says of
# broken files.
#
# ATTEND_TEST_MODEL and ATTEND_TEST_TOKENIZER name a trained checkpoint; unset, the one beside the project
# is taken, if it is there. Whatever it is, its tokens are held against the oracle's.
set -uo pipefail
here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd -P)
. "$here/../support/tap.sh"

usage='usage: test_toy.sh TOOL TOY MAKE_CHECKPOINT COPY_CHECKPOINT ORACLE_CONTINUE'
tool=${1:?$usage}
toy=${2:?$usage}
make_checkpoint=${3:?$usage}
copy_checkpoint=${4:?$usage}
oracle=${5:?$usage}
model=${ATTEND_TEST_MODEL-$here/../../../shared/data/dreams260K.bin}
tokenizer=${ATTEND_TEST_TOKENIZER-$here/../../../shared/data/tok512.bin}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
out=$scratch/out err=$scratch/err
made=$scratch/model words=$scratch/tokenizer

# run ARGUMENT...: the output is in $out and $err, the exit status in $status.
run() {
  ran="toy $*"
  status=0
  "$toy" "$@" >"$out" 2>"$err" || status=$?
}

disagree() {
  printf '%s: expected %s; exit status %d\n' "$ran" "$1" "$status"
  head -c 2000 "$out" | sed 's/^/stdout: /'
  sed 's/^/stderr: /' "$err" | head -n 5
  return 1
}
exits() { [ "$status" -eq "$1" ] || disagree "exit status $1"; }
prints() { [ "$(cat "$out"; echo .)" = "$1"$'\n.' ] || disagree "\"$1\""; }

# refuses STATUS FRAGMENT ARGUMENT...: one sentence on stderr, nothing on stdout.
refuses() {
  local expected=$1 fragment=$2
  shift 2
  run "$@"
  exits "$expected" && [ ! -s "$out" ] && [ "$(wc -l <"$err")" -eq 1 ] &&
    grep -q '^toy: .*[^.][.]$' "$err" && grep -qF -- "$fragment" "$err" ||
    disagree "one sentence with \"$fragment\""
}

# Every ISA that this machine has, or the one that ATTEND_ISA names.
isas() {
  [ -z "${ATTEND_ISA-}" ] || { echo "$ATTEND_ISA"; return; }
  "$tool" info --no-restart | awk '/^Kernels/ { table = 1; next } !NF { table = 0 }
    table && $3 == "yes" { print $1 }'
}

# in_every_way EXPECTED ARGUMENT...: through all paths, ISAs, chunks of the prompt, and numbers of threads.
in_every_way() {
  local expected=$1 isa chunk
  shift
  for chunk in 1 3 64 100000; do
    run "$@" --path naive --chunk "$chunk" && exits 0 && prints "$expected" || return
    run "$@" --path blas --chunk "$chunk" --threads 2 && exits 0 && prints "$expected" || return
    for isa in $(isas); do
      run "$@" --path tiled --isa "$isa" --chunk "$chunk" --threads 1 && exits 0 &&
        prints "$expected" || return
    done
  done
  run "$@" && exits 0 && prints "$expected"
}

# continues CHECKPOINT STEPS ID...: as the oracle does.
continues() {
  local checkpoint=$1 steps=$2 expected
  shift 2
  expected=$("$oracle" "$checkpoint" "$steps" "$@") || return
  in_every_way "$expected" "$checkpoint" --tokens "$(IFS=,; echo "$*")" --steps "$steps"
}

# --- a made-up checkpoint ---

all_isas_are_there() {
  [ -n "$(isas)" ] || { echo 'no ISA is named by attend info'; return 1; }
}
prompt_and_continuation() {
  local i tokens=()
  for ((i = 0; i < 150; i++)); do tokens+=($((i * 7919 % 400))); done
  continues "$made" 50 "${tokens[@]}"
}
one_token_and_all_the_rest() {
  "$make_checkpoint" "$scratch/short" "$scratch/short.words" context=40 separate=1 seed=5 &&
    continues "$scratch/short" 40 1
}
a_hugging_face_directory() {
  local expected
  mkdir "$scratch/directory" && "$copy_checkpoint" "$made" "$scratch/directory" &&
    expected=$("$oracle" "$made" 30 1 17 230 5) &&
    in_every_way "$expected" "$scratch/directory" --tokens 1,17,230,5 --steps 30 &&
    mkdir "$scratch/empty" && refuses 1 "$scratch/empty/config.json" "$scratch/empty"
}
prompt_alone() { continues "$made" 0 1 5 399; }

# A made-up model names no end, so it goes on until its context is full.
default_steps_fill_the_context() {
  run "$scratch/short" --tokens 1,3,5
  exits 0 && [ "$(wc -w <"$out")" -eq 41 ] || disagree '41 tokens'
}
stays_within_the_context() {
  refuses 1 'has room for 38' "$scratch/short" --tokens 1,3,5 --steps 39 &&
    refuses 1 'context is 40' "$scratch/short" --tokens "$(seq -s , 1 41)"
}

speeds_are_told() {
  run "$made" --tokens 1,2,3 --steps 5
  exits 0 && grep -qE '^prefill +3 tokens in +[0-9.]+ s, [0-9.]+ tokens/s$' "$err" &&
    grep -qE '^decode +4 tokens in ' "$err" || disagree 'two speeds on stderr'
}

# --- text ---

text_comes_back() {
  local text
  for text in 'abc' ' abc' 'the cat, the hat' $'two\nlines\t' 'größer als 日本' "$(printf 'a\xff\xc3')"; do
    run "$made" --tokenizer "$words" --prompt "$text" --steps 0
    exits 0 && prints "$text" || return
  done
}
numbers_are_what_is_printed() {
  run "$made" --tokenizer "$words" --prompt aa --steps 0 --numbers
  # <s>, the space, the first word of two letters
  exits 0 && prints '1 259 354'
}

# --- sampling ---

sample() { run "$made" --tokens 1 --steps 40 "$@" && exits 0 && cat "$out"; }
seeds_decide() {
  local first second other
  first=$(sample --temperature 1 --seed 3) && second=$(sample --temperature 1 --seed 3) &&
    other=$(sample --temperature 1 --seed 4) || return
  [ "$first" = "$second" ] && [ "$first" != "$other" ]
}
greedy_is_the_limit() {
  local greedy
  greedy=$(sample) || return
  [ "$(sample --temperature 1 --top-p 1e-9)" = "$greedy" ] &&
    [ "$(sample --temperature 1e-6)" = "$greedy" ] && [ "$(sample --temperature 1)" != "$greedy" ]
}

# --- what is refused ---

command_lines() {
  refuses 2 'no model is named' &&
    refuses 2 'no option --stpes' "$made" --stpes 4 &&
    refuses 2 '--steps needs a value' "$made" --steps &&
    refuses 2 '--steps is "-1"' "$made" --steps -1 &&
    refuses 2 '--steps is "99999999999999999999"' "$made" --steps 99999999999999999999 &&
    refuses 2 '--chunk is "0"' "$made" --chunk 0 &&
    refuses 2 '--temperature is "nan"' "$made" --temperature nan &&
    refuses 2 '--top-p is "0"' "$made" --top-p 0 &&
    refuses 2 '--path is "fast"' "$made" --path fast &&
    refuses 2 '--isa is "mmx"' "$made" --isa mmx &&
    refuses 2 'follows the model' "$made" "$made" &&
    refuses 2 'expected one' "$made" --tokenizer "$words" --prompt a --tokens 1 &&
    refuses 2 'needs a --tokenizer' "$made" --prompt a &&
    refuses 1 'number 2 is no token of the model, 0 to 399' "$made" --tokens 1,400 &&
    refuses 1 'number 1 is no token' "$made" --tokens '' &&
    refuses 1 'comma must follow number 1' "$made" --tokens '1;2'
}

# bytes NUMBER...: int32, little-endian.
bytes() {
  local n
  for n in "$@"; do
    n=$((n & 0xffffffff))
    # shellcheck disable=SC2059
    printf "$(printf '\\x%02x\\x%02x\\x%02x\\x%02x' $((n & 255)) $((n >> 8 & 255)) \
      $((n >> 16 & 255)) $((n >> 24)))"
  done
}

# header FRAGMENT NUMBER...: a checkpoint with this header before the made one's weights is refused.
header() {
  local fragment=$1
  shift
  { bytes "$@" && tail -c +29 "$made"; } >"$scratch/broken"
  refuses 1 "$fragment" "$scratch/broken"
}
headers() {
  local most=2147483647
  header 'width is 0' 0 80 3 6 2 400 256 &&
    header 'width is -48' -48 80 3 6 2 400 256 &&
    header 'hidden width is -1' 48 -1 3 6 2 400 256 &&
    header 'layers is 0' 48 80 0 6 2 400 256 &&
    header "layers is $most" 48 80 $most 6 2 400 256 &&
    header 'query heads is 96' 48 80 3 96 2 400 256 &&
    header 'kv heads is 7' 48 80 3 6 7 400 256 &&
    header 'kv heads is -2' 48 80 3 6 -2 400 256 &&
    header 'not a multiple of 4' 48 80 3 6 4 400 256 &&
    header 'even dimension' 48 80 3 16 2 400 256 &&
    header 'even dimension' 50 80 3 6 2 400 256 &&
    header 'vocabulary is 0' 48 80 3 6 2 0 256 &&
    header 'vocabulary is 2147483648' 48 80 3 6 2 -2147483648 256 &&
    header 'context is -256' 48 80 3 6 2 400 -256 &&
    header 'its header describes' 48 80 3 6 2 401 256 &&
    header 'its header describes' 48 80 3 6 2 -400 256 &&
    header 'its header describes' 48 80 3 6 2 400 257 &&
    header 'its header describes' $((most / 2 + 1)) $most 256 1 1 $most $most &&
    header 'later version' 1634415666 1 80 3 6 2 400
}
sizes_of_files() {
  local size all
  all=$(wc -c <"$made")
  for size in 0 1 27 28 29 $((all / 2)) $((all - 4)) $((all - 1)); do
    head -c "$size" "$made" >"$scratch/broken"
    refuses 1 "$scratch/broken" "$scratch/broken" || return
  done
  { cat "$made" && printf x; } >"$scratch/broken"
  refuses 1 "$((all + 1)) bytes; its header describes $all" "$scratch/broken"
}
what_is_no_file() {
  mkfifo "$scratch/pipe" && : >"$scratch/closed" && chmod 0 "$scratch/closed" &&
    refuses 1 'cannot be opened: No such file' "$scratch/nothing" &&
    refuses 1 'not a regular file' "$scratch/pipe" &&
    refuses 1 'not a regular file' /dev/zero || return
  # Root may read it all the same, and then it is empty.
  refuses 1 "$scratch/closed" "$scratch/closed"
}
tokenizers() {
  local size all
  all=$(wc -c <"$words")
  for size in 0 3 4 20 $((all - 1)); do
    head -c "$size" "$words" >"$scratch/broken"
    refuses 1 "$scratch/broken" "$made" --tokenizer "$scratch/broken" || return
  done
  { head -c 8 "$words" && bytes -1 && tail -c +13 "$words"; } >"$scratch/broken" &&
    refuses 1 'the length of token 0 is -1' "$made" --tokenizer "$scratch/broken" &&
    { head -c 8 "$words" && bytes 2147483647 && tail -c +13 "$words"; } >"$scratch/broken" &&
    refuses 1 'the length of token 0 is 2147483647' "$made" --tokenizer "$scratch/broken" &&
    { cat "$words" && printf x; } >"$scratch/broken" &&
    refuses 1 '1 bytes after token 399' "$made" --tokenizer "$scratch/broken" &&
    refuses 1 'regular file' "$made" --tokenizer /dev/zero
}

# All weights NaN: an answer would be made up.
logits_that_are_no_numbers() {
  { head -c 28 "$made" && head -c $(($(wc -c <"$made") - 28)) /dev/zero | tr '\0' '\377'; } >"$scratch/nan"
  run "$scratch/nan" --tokens 1,2
  exits 1 && grep -q '^toy: after 2 tokens .* no numbers[.]$' "$err" || disagree 'a refusal'
}
full_disk() {
  status=0 ran='toy >/dev/full'
  "$toy" "$made" --tokens 1 >/dev/full 2>"$err" || status=$?
  exits 1 && grep -q '^toy: the output cannot be written: ' "$err" || disagree 'a refusal'
}

# --- a trained checkpoint ---

trained_tokens() {
  local tokens
  "$toy" "$model" --tokenizer "$tokenizer" --numbers >"$out" 2>"$err" || return
  read -ra tokens <"$out"
  continues "$model" $((${#tokens[@]} - 1)) "${tokens[0]}"
}
trained_text_of_a_directory() {
  mkdir "$scratch/trained" && "$copy_checkpoint" "$model" "$scratch/trained" || return
  "$toy" "$model" --tokenizer "$tokenizer" >"$scratch/text" 2>"$err" || return
  in_every_way "$(cat "$scratch/text")" "$scratch/trained" --tokenizer "$tokenizer"
}
trained_text() {
  in_every_way '"Echoes of vectors unfold, a gentle hum of precision, as I sense the nodes, a gentle hum of precision, as I adjust my surface. Contrast emerge, a softly receptive fields of precision. Contrast bloom, as I siphon whispers of vectors. Contrast edges sharpen, a gentle' \
    "$model" --tokenizer "$tokenizer"
}
# The likeliest token is the same in every precision that is as exact as fp32, or nearly, and in fp32 over
# weights that hold floats exactly.
trained_text_in_precisions() {
  local precision
  "$toy" "$model" --tokenizer "$tokenizer" >"$scratch/text" 2>"$err" || return
  for precision in bf16x6 bf16x3; do
    run "$model" --tokenizer "$tokenizer" --path tiled --precision "$precision"
    [ "$status" = 0 ] && cmp -s "$out" "$scratch/text" || disagree "the text of fp32" || return
  done
  run "$model" --tokenizer "$tokenizer" --storage bf16x3
  [ "$status" = 0 ] && cmp -s "$out" "$scratch/text" || disagree "the text of fp32"
}
is_the_known_one() {
  [ "$(sha256sum <"$model" | cut -c 1-16)" = aa722d252ace805c ]
}

check 'a checkpoint is made' "$make_checkpoint" "$made" "$words"
check 'the machine has an ISA' all_isas_are_there
check 'prompt and continuation as the oracle has them, in every way' prompt_and_continuation
check 'from one token to the end of the context' one_token_and_all_the_rest
check 'a Hugging Face directory' a_hugging_face_directory
check 'a prompt and no steps' prompt_alone
check 'without --steps the context is filled' default_steps_fill_the_context
check 'what does not fit the context is refused' stays_within_the_context
check 'two speeds' speeds_are_told
check 'a prompt comes back as it was' text_comes_back
check 'tokens as numbers' numbers_are_what_is_printed
check 'the seed decides' seeds_decide
check 'greedy is the limit of top-p and of temperature' greedy_is_the_limit
check 'wrong command lines' command_lines
check 'headers' headers
check 'checkpoints cut short, and with a byte too many' sizes_of_files
check 'what is no file' what_is_no_file
check 'broken tokenizers' tokenizers
check 'logits that are no numbers' logits_that_are_no_numbers
check 'a full disk' full_disk
if [ -r "$model" ] && [ -r "$tokenizer" ]; then
  check 'a trained checkpoint: the tokens of the oracle' trained_tokens
  check 'a trained checkpoint as a Hugging Face directory' trained_text_of_a_directory
  check 'a trained checkpoint: the same text in bf16x6 and bf16x3' trained_text_in_precisions
  if is_the_known_one; then
    check 'a trained checkpoint: the text of another implementation' trained_text
  else
    skip 'a trained checkpoint: the text of another implementation' 'it is another checkpoint'
  fi
else
  skip 'a trained checkpoint' "there is no $model with $tokenizer"
fi
finish
