#!/usr/bin/env bash
# tests/tool/test_compare.sh TOOL JSON_CHECK - `attend compare`: which contenders run, that the figures agree with each
# other, and what is refused. test_compare_limit.c checks the sentences.
set -uo pipefail
here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd -P)
. "$here/bench_tool.sh"

run() {
  run_tool compare "$@"
}

contenders_side_by_side() {
  run "${small[@]}" --threads 2 --tokens 33,5 --csv
  exits 0 && csv_is 'E64-Hq4-Hk2-D16|5|naive|1|measured|
E64-Hq4-Hk2-D16|5|naive|2|measured|
E64-Hq4-Hk2-D16|5|blas|2|measured|
E64-Hq4-Hk2-D16|5|tiled|2|measured|
E64-Hq4-Hk2-D16|33|naive|1|measured|
E64-Hq4-Hk2-D16|33|naive|2|measured|
E64-Hq4-Hk2-D16|33|blas|2|measured|
E64-Hq4-Hk2-D16|33|tiled|2|measured|' model tokens path threads status reason
}

# Of the run before: a speed-up is the first path's time by the row's, and no output is far from the oracle.
figures_agree() {
  csv seconds_median speedup path threads gflops fma_gflops peak_share max_error limited_by |
    awk -F'|' '
      function differ(a, b) { return a - b > 1e-6 * b || b - a > 1e-6 * b }
      function wrong(what) { print "row " NR ": " what ": " $0; bad = 1 }
      $3 == "naive" && $4 == 1 { first = $1 }
      differ($2 * $1, first) { wrong("speedup") }
      differ($7 * $6, $5) { wrong("peak_share") }
      !($8 < 1e-4) { wrong("max_error") }
      $9 !~ /^[A-Z].*[.]$/ { wrong("limited_by is no sentence") }
      END { exit bad || NR != 8 }' || disagree 'figures that agree'
}

# Three score matrices of 33 x 33 floats for each thread of the naive path, and none of the tiled one.
memory_is_that_of_each_contender() {
  csv tokens path threads score_bytes | awk -F'|' '
      $1 == 33 && $2 == "naive" && $4 != $3 * 3 * 33 * 33 * 4 { print; bad = 1 }
      $2 == "tiled" && $4 != 0 { print; bad = 1 }
      END { exit bad }' || disagree 'bytes of score matrices'
}

table_has_sentences() {
  run "${small[@]}" --threads 2 --tokens 5,33
  exits 0 && out_has '^limits +1 thread: FMA peak' && out_has '^limits +2 threads: FMA peak' &&
    out_has '^ +33  naive, 1 thread +[0-9.]+ [a-z]+ +1[.]00 ' && out_has '^ +33  tiled, 2 threads ' &&
    out_has '^  naive, 2 threads +N = 33 +[A-Z]' && out_has '^8 rows measured, 0 skipped, 0 failed' &&
    awk 'length($0) > 120 { print; wide = 1 } END { exit wide }' "$out"
}

# The second naive contender would be the first again.
one_thread_has_three_contenders() {
  run "${small[@]}" --threads 1 --tokens 5 --part core --bidirectional --csv
  exits 0 && csv_is 'core|false|naive|1
core|false|blas|1
core|false|tiled|1' part causal path threads
}

# What cannot run has its reason as its sentence, and there is no speed-up over it.
skipped_first_path() {
  run --d-model 64 --heads 4 "${brief[@]}" --threads 2 --tokens 64 --memory-limit 1 --csv
  exits 0 && csv_is 'naive|skipped|
naive|skipped|
blas|skipped|
tiled|measured|' path status speedup && csv limited_by | grep -E '^Not measured: .*memory' >/dev/null
}

plot_is_drawn() {
  run "${small[@]}" --threads 2 --tokens 5,33 --plot "$scratch/plot.svg"
  exits 0 && [ "$(grep -c '^#.*thread' "$scratch/plot.dat")" -eq 4 ] &&
    grep -q '^# .*, 1 thread(s), naive' "$scratch/plot.dat" &&
    grep -q 'attend compare: layer' "$scratch/plot.svg" && grep -q 'naive, 1 thread<' "$scratch/plot.svg" &&
    grep -q 'naive, 2 threads<' "$scratch/plot.svg"
}

output_goes_to_a_file() {
  run "${small[@]}" --threads 1 --tokens 5 --csv --output "$scratch/rows.csv"
  exits 0 && out_is_empty && [ "$(wc -l <"$scratch/rows.csv")" -eq 4 ]
}

usage_is_checked() {
  refuses 'one model at a time' --model qwen2.5-0.5b,llama-7b &&
    refuses '--model and --d-model do not go together' --model qwen2.5-0.5b --d-model 64 &&
    refuses '--threads: several values are given; give one' --threads 1,2 && refuses '--tokens: "x"' --tokens x &&
    refuses 'no option --paths' --paths tiled && refuses 'no option --json' --json &&
    refuses '--plot: .*[.]svg' --plot picture.pdf && refuses '"fast" is not an option' fast &&
    refuses '--tokens needs a value' --tokens && refuses 'no model "qwen"' --model qwen
}

unreadable_files() {
  run --config /nonexistent/config.json
  exits 1 && err_lines 1 && err_has '^attend: --config: ' || return
  run "${small[@]}" --tokens 5 --output /nonexistent/rows
  exits 1 && err_lines 1 && err_has '^attend: /nonexistent/rows cannot be written'
}

check 'four contenders at each length' contenders_side_by_side
check 'the figures of a row agree' figures_agree
check 'score matrices of each contender' memory_is_that_of_each_contender
check 'the table has a sentence for each contender' table_has_sentences
check 'three contenders on one thread' one_thread_has_three_contenders
check 'a first path that is skipped' skipped_first_path
if command -v gnuplot >/dev/null; then
  check 'a plot with both naive contenders' plot_is_drawn
else
  skip 'a plot with both naive contenders' 'there is no gnuplot'
fi
check 'output into a file' output_goes_to_a_file
check 'wrong usage is one sentence' usage_is_checked
check 'files that cannot be read or written' unreadable_files
finish
