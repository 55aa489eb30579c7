#!/usr/bin/env bash
# tests/tool/test_bench_files.sh TOOL JSON_CHECK - what `attend bench` writes in each form and file, what it
# skips and refuses, and what Ctrl-C leaves.
set -uo pipefail
here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd -P)
. "$here/bench_tool.sh"

# --- forms and files ---

json_of_a_layer() {
  run "${small[@]}" --tokens 5,33 --repeat 4 --threads 1,2 --json --explain
  exits 0 && json_has schema=attend-bench schema_version=3 interrupted=false rows_not_reached=0 \
    contention_share warnings rows#12 yardsticks#2 yardsticks.1.threads=2 yardsticks.0.fma_gflops.scalar machine.processor blas.core \
    blas.threading options.part=layer options.seed=1 \
    rows.0.status=measured rows.0.path=tiled rows.0.reason=null rows.0.time.samples#4 \
    rows.0.time.seconds_median rows.0.time.phase_seconds#9 rows.0.check.rows=5 \
    rows.0.check.max_error rows.0.plan rows.11.threads=2 rows.11.path=naive rows.11.score_bytes
}

# Every member of the JSON, but for the names of ISAs that a peak is measured of, and every column of the CSV stands in docs/bench-json.md.
documentation_names_everything() {
  local page=$here/../../docs/bench-json.md form name names
  for form in --json '--kernels --isa scalar --json' --csv '--kernels --isa scalar --csv'; do
    local what=("${small[@]}" --tokens 5)
    [[ $form == *kernels* ]] && what=(--repeat 1 "${brief[@]}")
    # shellcheck disable=SC2086
    run "${what[@]}" $form
    exits 0 || return
    case $form in
    *json) names=$(sed -n '/"fma_gflops": {/,/}/d; s/^ *"\([a-z0-9_]*\)": .*/\1/p' "$out" | sort -u) ;;
    *) names=$(head -n 1 "$out" | tr -d '\r' | tr ',' '\n') ;;
    esac
    for name in $names fma_gflops; do
      grep -qE "\`([a-z]+\.)?$name\`|\`${name%_seconds}\`" "$page" || disagree "$name in docs/bench-json.md" || return
    done
  done
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

files_do_not_meet() {
  printf '{"model_type": "llama", "hidden_size": 64, "num_attention_heads": 4, "num_hidden_layers": 1}\n' \
    >"$scratch/model.json"
  cp "$scratch/model.json" "$scratch/kept.json"
  run --config "$scratch/model.json" --tokens 5 "${brief[@]}" --json --output "$scratch/./model.json"
  exits 2 && err_has 'is read as --config' && cmp "$scratch/model.json" "$scratch/kept.json" &&
    run "${small[@]}" --tokens 5 --csv --output "$scratch/both.dat" --plot "$scratch/both.svg" &&
    exits 2 && err_has 'both --output and --plot' && [ ! -e "$scratch/both.dat" ]
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
  head -c 200 "$scratch/drawn.svg" | grep '<svg' >/dev/null &&
    grep -q 'attend bench: layer, prefill, causal, B = 1' "$scratch/drawn.svg" &&
    head -c 4 "$scratch/drawn.png" | grep PNG >/dev/null && data_is_complete "$scratch/drawn.dat"
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

# gnuplot does not say that its picture was cut short; what was there before stays.
half_a_picture_is_none() {
  echo before >"$scratch/half.svg"
  (
    ulimit -f 6
    run "${small[@]}" --tokens 5 --paths blas --plot "$scratch/half.svg"
    exits 1 && err_has 'half[.]svg was not drawn, because gnuplot failed'
  ) && [ "$(cat "$scratch/half.svg")" = before ] && [ "$(ls "$scratch" | grep -c half)" -eq 2 ] ||
    disagree 'half.svg as before, and half.dat'
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
  exits 0 && out_has '^ +6000  naive  fp32 +[0-9]+  skipped: naive would take' && out_has '^0 rows measured, 1 skipped'
}

rows_beyond_memory_are_skipped() {
  run --d-model 1048576 --heads 1 "${brief[@]}" --tokens 16777216 --paths tiled,blas --json
  exits 0 && json_has rows#2 rows.0.status=skipped rows.1.status=skipped &&
    out_has 'GiB of memory, more than is available'
}

# --- Ctrl-C ---

# The shell's background jobs ignore Ctrl-C; these must not. One signal is sent, and to the tool alone: `timeout`
# sends it to the group as well, and the second one ends the tool.
take_signals=(env --default-signal=INT --)

# wait_until COMMAND...: until it succeeds. Fails if the tool, whose process is $job, ends before.
wait_until() {
  while ! "$@"; do
    kill -0 "$job" 2>/dev/null || "$@" || disagree "$* before the end" || return
    sleep 0.05
  done
}

has_files() { [ -n "$(ls -A "$1")" ]; }

# interrupt_early SIGNAL FILE ARGUMENT...: sends the signal as soon as FILE, the only one in its folder, is being
# written, which is before the first limit of the machine is measured. FILE is then whole, in $out, and alone.
interrupt_early() {
  local signal=$1 file=$2 directory=${2%/*}
  shift 2
  ran="attend bench $*, SIG$signal before the first row" status=0
  mkdir "$directory" || return
  "${take_signals[@]}" "$tool" bench "$@" --output "$file" >"$out" 2>"$err" &
  job=$!
  wait_until has_files "$directory" || return
  kill -s "$signal" "$job"
  wait "$job" || status=$?
  exits $((128 + $(kill -l "$signal"))) && err_has '^attend: interrupted[ ;]' && out_is_empty &&
    [ "$(ls -A "$directory")" = "${file##*/}" ] || disagree "${file##*/} and nothing beside it" || return
  cp "$file" "$out"
}

interrupt_before_the_first_row() {
  local layers=(--d-model 64 --heads 4 --tokens 5,64 --yardstick-time 0.2 --no-restart)
  interrupt_early INT "$scratch/early-1/rows.json" "${layers[@]}" --json &&
    json_has interrupted=true rows#0 rows_not_reached=6 yardsticks#1 &&
    interrupt_early INT "$scratch/early-2/rows.csv" "${layers[@]}" --csv && csv_is '' status &&
    out_has '^model,.*,blas_threading.$' &&
    interrupt_early TERM "$scratch/early-3/rows.txt" "${layers[@]}" && out_has '^0 rows measured' &&
    interrupt_early INT "$scratch/early-4/rows.json" --kernels --yardstick-time 0.2 --json &&
    json_has interrupted=true rows#0 &&
    interrupt_early INT "$scratch/early-5/rows.csv" --kernels --yardstick-time 0.2 --csv && csv_is '' kernel
}

# What the terminal shows of the progress says when the first row is there; the second takes many seconds.
interrupt_leaves_rows() {
  local call="echo \$\$ >'$scratch/pid'; exec '$tool' bench ${small[*]} --tokens 5,8000 --repeat 300 \
    --time-limit 600 --paths tiled --json --output '$scratch/rows.json'"
  ran='attend bench, interrupted after the first row' status=0
  TERM=xterm "${take_signals[@]}" script -qec "$call" /dev/null >"$out" 2>"$err" </dev/null &
  job=$!
  wait_until grep -q '1/2 rows' "$out" || return
  kill -INT "$(cat "$scratch/pid")"
  wait "$job" || status=$?
  exits 130 && out_has 'attend: interrupted .*not reached[.]' || return
  cp "$scratch/rows.json" "$out"
  json_has interrupted=true rows.0.status=measured rows.0.time.samples#300 &&
    { "$json_check" "$out" rows#1 rows_not_reached=1 || json_has rows#2 rows_not_reached=0; }
}

sighup_under_nohup() {
  local job
  ran='attend bench, with SIGHUP ignored' status=0
  (trap '' HUP && exec "$tool" bench "${small[@]}" --tokens 64 --paths tiled --repeat 300 --csv >"$out" 2>"$err") &
  job=$!
  sleep 0.5
  kill -HUP "$job"
  wait "$job" || status=$?
  exits 0 && csv_is measured status
}

# On a terminal of 40 columns no line of the progress is longer; a dumb terminal gets none.
progress_fits_the_terminal() {
  local call
  call="stty cols 40; '$tool' bench ${small[*]} --tokens 33 --repeat 9 --output /dev/null"
  ran='attend bench on a terminal' status=0
  TERM=xterm script -qec "$call" /dev/null >"$out" </dev/null || status=$?
  exits 0 && out_has '0/3 rows' && tr '\r' '\n' <"$out" | sed 's/\x1b\[K//' |
    awk 'length($0) > 39 { print; long = 1 } END { exit long }' || disagree 'lines of 39 columns' || return
  TERM=dumb script -qec "$call" /dev/null >"$out" </dev/null || status=$?
  exits 0 && out_is_empty
}

# --- usage ---

usage_is_checked() {
  refuses 'x' --tokens x && refuses '0 is out of range' --tokens 0 && refuses 'no model "nope"' --model nope &&
    refuses '"auto"' --paths auto && refuses 'twice' --paths tiled,tiled && refuses 'fast' --paths fast &&
    refuses '"all"' --part all && refuses 'neither .svg nor .png' --plot plot.gif &&
    refuses '[-]-explain' --explain --csv && refuses 'extra' extra && refuses 'd-model' --heads 2 &&
    refuses 'time-limit' --time-limit 0 && refuses 'batch' --batch -1 &&
    refuses 'tokns' --tokns 5 && refuses 'yardstick-time' --yardstick-time 0 &&
    refuses '[-]-kernels and --tokens do not go together' --kernels --tokens 5 &&
    refuses '[-]-kernels and --plot do not go together' --kernels --plot x.svg || return
  run --config /nonexistent
  exits 1 && [ "$(wc -l <"$err")" -eq 1 ] && err_has '^attend: --config: /nonexistent: ' && out_is_empty
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

check 'JSON of a layer' json_of_a_layer
check 'documentation names every member and column' documentation_names_everything
check '--explain prints plans' plans_are_explained
check '--output writes a file and nothing else' output_is_a_file
check 'files that cannot be written are refused before measuring' unwritable_files_are_refused
check 'a file is not written twice, nor over what is read' files_do_not_meet
if [ -c /dev/full ]; then
  check 'a full disk is reported' full_disk_is_reported
else
  skip 'a full disk is reported' 'there is no /dev/full'
fi
if command -v gnuplot >/dev/null; then
  check 'plots as SVG and PNG' plot_is_drawn
  check 'a plot of one decode row' decode_is_plotted
  check 'half a picture is none' half_a_picture_is_none
  check 'a plot of nothing but skipped rows' nothing_measured_is_plotted
else
  skip 'plots as SVG and PNG' 'there is no gnuplot'
  skip 'a plot of one decode row' 'there is no gnuplot'
  skip 'half a picture is none' 'there is no gnuplot'
  skip 'a plot of nothing but skipped rows' 'there is no gnuplot'
fi
check 'without gnuplot the figures are written' plot_without_gnuplot
check 'score matrices beyond the limit are skipped' scores_beyond_the_limit_are_skipped
check 'slow rows are skipped, judged by a shorter one' slow_rows_are_skipped
check 'slow rows are skipped, judged by a few tokens' slow_rows_are_skipped_without_a_shorter_one
check 'rows beyond the memory of the machine are skipped' rows_beyond_memory_are_skipped
check 'an interrupt before the first row leaves whole files' interrupt_before_the_first_row
if command -v script >/dev/null; then
  check 'Ctrl-C leaves the rows measured so far' interrupt_leaves_rows
  check 'progress fits into the terminal' progress_fits_the_terminal
else
  skip 'Ctrl-C leaves the rows measured so far' 'there is no script'
  skip 'progress fits into the terminal' 'there is no script'
fi
check 'SIGHUP under nohup is no interrupt' sighup_under_nohup
check 'wrong usage is refused' usage_is_checked
check 'help names every option' help_names_every_option
finish
