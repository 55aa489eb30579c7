#!/usr/bin/env bash
# Checks, from the includes, who uses whom: the rooms of the tree and what each of them may include. Also
# that a file's stem is used in one folder only and that no file is longer than 400 lines.
#
#   check_rooms.sh [TOP]      the tree that is looked at, this one unless said otherwise
#
# The last case changes a copy of the tree in one place for each rule, and every change must be found.
set -uo pipefail
here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd -P)
. "$here/../support/tap.sh"
top=${1:-$here/../..}

# ROOM: WHAT IT MAY INCLUDE beside its own files. Folders of src/ are written without `src/`, `public` is
# include/attend/, and a folder does not stand for those inside it. The row of a file goes before that of
# its folder, and that of a folder before that of the folder around it.
rooms='
include/attend:
size.h:
fault.h:         public
fault.c:         public
profile.h:       public
context.h:       public size.h fault.h profile.h kernels platform
context.c:       public size.h fault.h profile.h kernels platform
attend.c:        public context.h size.h fault.h profile.h problem plan layer
.:               public context.h fault.h profile.h kernels/isas.def storage/storage.def plan/paths.def
kernels:         public kernels/simd
kernels/simd:    public kernels
storage:         public size.h kernels
platform:        public size.h kernels/isas.def
problem:         public size.h fault.h profile.h
plan:            public size.h fault.h context.h profile.h problem
paths:           public size.h fault.h context.h profile.h problem plan platform kernels storage
tiled:           public size.h fault.h context.h profile.h problem plan platform kernels storage cache paths
cache:           public size.h fault.h context.h platform kernels storage
layer:           public size.h fault.h context.h profile.h problem plan platform kernels storage cache
models:          public
io:              public size.h fault.h storage
io/config:       public fault.h io
io/npy:          public size.h io platform/output_file.h
io/safetensors:  public size.h io platform/output_file.h
io/layer:        public size.h fault.h io io/config io/safetensors
cli:             public cli/util
cli/util:        public cli
cli/lesson:      public cli cli/util
cli/picture:     public cli cli/util
cli/info:        public cli cli/util bench
cli/inspect:     public cli cli/util
cli/run:         public cli cli/util
cli/shapes:      public cli cli/util
cli/explain:     public cli cli/util cli/lesson cli/picture
cli/bench:       public cli cli/util bench
cli/compare:     public cli cli/util bench cli/bench
bench:           public size.h kernels platform storage bench/oracle
bench/oracle:    public
examples:        public
examples/toy:    public
tests/toy/oracle_transformer.c:
tests/toy/oracle_transformer.h:
'

# FILE HEADER REASON: an include that the table forbids. One that nobody needs any more is a failure.
exceptions='
platform/cpu.c            kernels/kernels.h        an ISA is usable if kernels are compiled for it
platform/machine.c        kernels/kernels.h        says for which ISAs there are kernels
problem/problem.c         cache/kvcache.h          lengths of cached sequences are part of what is asked
problem/problem_check.c   cache/kvcache.h          a cache must have the shape of the call
problem/sequence_check.c  cache/kvcache.h          options name sequences of a cache
cache/kvcache.c           problem/shape.h          checks shapes and views with the core
cache/kvcache_rows.c      problem/shape.h          checks shapes and views with the core
plan/path.h               layer/linear.h           a path projects if a layer asks it to
plan/path.h               paths/path_blas.h        PathFit holds what one of them computed
plan/path.h               paths/path_naive.h       PathFit holds what one of them computed
plan/path.h               tiled/tiling.h           PathFit holds what one of them computed
paths/path_naive.c        layer/project.h          a path projects if a layer asks it to
paths/path_blas.c         layer/project.h          a path projects if a layer asks it to
tiled/path_tiled.c        layer/project.h          a path projects if a layer asks it to
io/layer/layer_tensors.c  problem/shape.h          the views that it checks are those of a layer
io/layer/load_layer.c     context.h                its error is told by the context
io/layer/layer_matrices.h layer/weights.h          writes what packed weights hold
cli/info/info_json.c      kernels/kernels.h        lists the kernels of each ISA
cli/info/info_text.c      kernels/kernels.h        lists the kernels of each ISA
cli/picture/picture_file.h platform/output_file.h  pictures appear whole, as the files of the library do
cli/bench/report_plot.h   platform/output_file.h   pictures appear whole, as the files of the library do
cli/util/blas_core.c      platform/blas.h          asks OpenBLAS for which core it was made
cli/util/probe.c          bench/yardstick.h        measures what the machine could do
cli/util/probe.h          cli/info/doctor.h        a probe is what the doctor is told
cli/util/score_options.h  bench/results.h          scores of a case of a benchmark
cli/bench/cmd_bench.c     cli/info/info_report.h   rows begin with the machine
cli/compare/cmd_compare.c cli/info/info_report.h   rows begin with the machine
cli/lesson/matrix.c       bench/allocation.h       aligned memory
cli/lesson/lesson_run.c   bench/timer.h            says how long a path took
cli/lesson/random_lesson.c bench/random.h          numbers from a seed
cli/run/random_layer.c    bench/random.h           numbers from a seed
'

# STEM REASON: a stem that two folders use.
shared_stems='
options                   of a call in problem/, of the command line in cli/
yardstick                 the kernel in kernels/, its measurement in bench/
'

# FILE REASON: a file of more than 400 lines.
long_files='
src/cli/option_pages.c    every page about options is made of one table
'

# list_files TOP: the sources, relative to it.
list_files() {
  (cd -- "$1" && find src bench tests examples include -name '*.[ch]' -o -name '*.def' -o -name '*.sh')
}

# list_includes TOP: lines `FILE HEADER`, as the tables name them, and a system header in its brackets.
list_includes() {
  {
    list_files "$1"
    (cd -- "$1" && grep -rE --include='*.[ch]' '^[[:space:]]*#[[:space:]]*include' \
      src bench tests examples include)
  } | awk '
    function short(path) {
      sub(/^src\//, "", path)
      sub(/^include\/attend\/.*/, "public", path)
      return path
    }
    !/#/ { exists[$0] = 1; next }
    {
      file = header = $0
      sub(/:.*/, "", file)
      sub(/^[^<"]*/, "", header)
      sub(/[>"][^>"]*$/, "&", header)
      if (header ~ /^</) { sub(/>.*/, ">", header); print short(file), header; next }
      sub(/^"/, "", header)
      sub(/".*/, "", header)
      folder = file
      sub(/[^\/]*$/, "", folder)
      found = header
      n = split(folder ";;src/;include/", bases, ";")
      for (k = 1; k <= n; k++) if (bases[k] header in exists) { found = bases[k] header; break }
      print short(file), short(found)
    }'
}

# forbidden INCLUDES: every include that neither a row nor an exception allows, and every exception that
# is not needed.
forbidden() {
  printf '%s\n' "$rooms" '--' "$exceptions" '--' "$1" | awk '
    $0 == "--" { part++; next }
    part == 0 && NF {
      room = $1
      sub(/:$/, "", room)
      row[room] = 1
      for (k = 2; k <= NF; k++) may[room, $k] = 1
      next
    }
    part == 1 && NF { excepted[$1, $2] = 1; next }
    part == 2 && $2 !~ /^</ {
      folder = $1
      if (!sub(/\/[^\/]*$/, "", folder)) folder = "."
      target = $2
      if (!sub(/\/[^\/]*$/, "", target) && target != "public") target = "."
      if (folder == target && !($1 in row)) next
      room = $1
      while (!(room in row) && sub(/\/[^\/]*$/, "", room)) { }
      if (!(room in row)) {
        if ($1 ~ /^tests\//) next
        room = $1 ~ /\// ? "" : "."
      }
      own = $1
      sub(/\.[ch]$/, ".h", own)
      if ((room, $2) in may || (room, target) in may || $2 == own) next
      if (($1, $2) in excepted) { needed[$1, $2] = 1; next }
      print $1 " may not include " $2
    }
    END {
      for (pair in excepted) if (!(pair in needed)) {
        split(pair, names, SUBSEP)
        print "no exception is needed for " names[1] " and " names[2]
      }
    }'
}

# only FILE PATTERN FOLDER...: the lines of other files in the folders that have the pattern, comments apart.
only() {
  local file=$1 pattern=$2
  shift 2
  (cd -- "$tree" && grep -rnE --include='*.[ch]' "$pattern" "$@") |
    grep -vE "^$file:|^[^:]*:[0-9]*:[[:space:]]*(/\*|\*)" | sed 's/$/ is out of place/'
}

# circles INCLUDES: loops of rooms by their headers, in the library, and of modules, a .c and the .h of its
# name, in problem/ and layer/: what is checked does not stand on its checks. tsort names the members.
circles() {
  local library
  library=$(printf '%s\n' "$1" | grep -vE '^(cli|bench|tests|examples|include)/|<|public$')
  printf '%s\n' "$library" | grep -E '^(problem/.* problem|layer/.* layer)/' |
    sed -E 's/\.[a-z]+( |$)/\1/g' | awk '$1 != $2' | sort -u |
    tsort 2>&1 >/dev/null | sed 's/^tsort: //'
  printf '%s\n' "$library" | grep -E '^[^ ]*/[^ ]*\.h .*/' |
    grep -vxFf <(printf '%s\n' "$exceptions" | awk 'NF { print $1, $2 }') |
    sed -E 's/\/[^ /]*( |$)/\1/g' | awk '$1 != $2' | sort -u |
    tsort 2>&1 >/dev/null | sed 's/^tsort: /room: /'
}

# stems TOP: those that two folders use.
stems() {
  list_files "$1" | grep -E '^(src|bench|tests)/' | sed -E 's/^(.*)\/([^/]*)\.[a-z]+$/\2 \1/' | sort -u |
    awk '{ count[$1]++; folders[$1] = folders[$1] " " $2 }
      END { for (stem in count) if (count[stem] > 1) print stem ":" folders[stem] }' |
    grep -vE "^($(printf '%s\n' "$shared_stems" | awk 'NF { printf "%s%s", bar, $1; bar = "|" }')):"
}

# lengths TOP: files of more than 400 lines.
lengths() {
  (cd -- "$1" && list_files . | grep -E '^(src|bench|tests)/' | xargs wc -l) |
    awk '$2 != "total" && $1 > 400 { print $2 " has " $1 " lines" }' |
    grep -vF "$(printf '%s\n' "$long_files" | awk 'NF { print $1 " has" } END { print "no such file" }')"
}

# report TOP: a line for everything that is wrong with a tree.
report() {
  local tree=$1 includes
  includes=$(list_includes "$tree")
  forbidden "$includes"
  only src/platform/blas.c '^[[:space:]]*#[[:space:]]*include[[:space:]]*<cblas\.h>' src bench
  only src/platform/parallel.h '\<omp_[a-z_]+ *\(|<omp\.h>|#pragma omp (parallel|for|critical|barrier)' src
  only '' '<mpi\.h>' src bench
  circles "$includes"
  stems "$tree"
  lengths "$tree"
}

# nothing_in REPORT PATTERN: prints what is found.
nothing_in() {
  ! printf '%s\n' "$1" | grep -E "$2"
}

# found NAME: a line of the report on the changed copy has the words.
found() {
  printf '%s\n' "$changed" | grep -F "$1"
}

# change FILE LINE: in the copy.
change() {
  printf '%s\n' "$2" >>"$copy/$1"
}

wrong=$(report "$top")
check "rooms include what they may" nothing_in "$wrong" '(may not include|no exception is needed)'
check "<cblas.h>, omp_* and <mpi.h> stay where they belong" nothing_in "$wrong" ' is out of place$'
check "rooms of the library go in no circle, nor do problem/ and layer/" nothing_in "$wrong" 'loop'
check "a stem is used in one folder" nothing_in "$wrong" '^[a-z0-9_]+: '
check "files have at most 400 lines" nothing_in "$wrong" ' lines$'
check "nothing else is wrong" nothing_in "$wrong" .

copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
(cd -- "$top" && cp -r src bench tests examples include "$copy")
change src/kernels/pack.c '#include "size.h"'
change src/kernels/simd/scalar.h '#include "platform/memory.h"'
change src/paths/merge.c '#include "layer/weights.h"'
change src/storage/storage.h '#include "../problem/shape.h"'
change src/cli/run/cmd_run.c '#include "kernels/kernels.h"'
change src/cli/inspect/cmd_inspect.c '#include "bench/sweep.h"'
change examples/01_one_call.c '#include "size.h"'
change bench/oracle/oracle.c '#include "kernels/kernels.h"'
change tests/toy/oracle_transformer.c '#include "attend/attend.h"'
change src/size.h '#include "context.h"'
change src/layer/project.c '#include <cblas.h>'
change src/tiled/query.c 'int threads = omp_get_max_threads();'
change src/tiled/tile.c '#pragma omp parallel for'
change src/context.c '  #  include <mpi.h>'
change src/layer/rope.h '#include "layer/layer.h"'
change src/problem/shape.h '#include "plan/plan.h"'
change src/cli/util/memory.c ''
yes '' | head -n 400 >>"$copy/src/tiled/query.c"
sed -i '/kernels\.h"/d' "$copy/src/cli/info/info_text.c"
mkdir "$copy/src/annex"
change src/annex/annex.c '#include "size.h"'
changed=$(report "$copy")
check "found: a kernel that uses size.h" found 'kernels/pack.c may not include size.h'
check "found: a vocabulary that allocates" found 'kernels/simd/scalar.h may not include platform/memory.h'
check "found: a path that knows layers" found 'paths/merge.c may not include layer/weights.h'
check "found: a header by way of .." found 'storage/storage.h may not include ../problem/shape.h'
check "found: a command that calls kernels" found 'cli/run/cmd_run.c may not include kernels/kernels.h'
check "found: a command that measures" found 'cli/inspect/cmd_inspect.c may not include bench/sweep.h'
check "found: an example with a private header" found 'examples/01_one_call.c may not include size.h'
check "found: an oracle that shares code" found 'bench/oracle/oracle.c may not include kernels/kernels.h'
check "found: the toy's oracle with the library" found 'oracle_transformer.c may not include public'
check "found: a base that stands on others" found 'size.h may not include context.h'
check "found: a room without a row" found 'annex/annex.c may not include size.h'
check "found: an exception that is not needed" found 'needed for cli/info/info_text.c and kernels/kernels.h'
check "found: another <cblas.h>" found 'src/layer/project.c:'
check "found: another omp_ call" found 'src/tiled/query.c:'
check "found: another parallel region" found 'src/tiled/tile.c:'
check "found: <mpi.h>" found 'src/context.c:'
check "found: two modules that include each other" found 'layer/rope'
check "found: two rooms that include each other" found 'room: -: input contains a loop'
check "found: a stem in two folders" found 'memory: src/cli/util src/platform'
check "found: a long file" found 'src/tiled/query.c has'
finish
