#!/usr/bin/env bash
# tests/tool/test_cli.sh TOOL JSON_CHECK - the tool from outside: help, versions, usage errors, `attend info`
# and the core of OpenBLAS. What `attend bench` measures and writes is tests/tool/test_bench.sh's to check.
#
# One function per case; each runs the tool through run() and states what must hold, joined by &&. A
# case that needs a core below the processor's takes $low, and is skipped where there is none.
set -uo pipefail
here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd -P)
. "$here/../support/tool.sh"

# Nothing of the caller's environment decides a case.
unset OPENBLAS_CORETYPE ATTEND_BLAS_CORE_APPLIED OMP_NUM_THREADS OPENBLAS_NUM_THREADS

run() {
  run_tool "$@"
}

# --- help and version ---

help_lists_commands() {
  run --help
  exits 0 && out_has '^Usage: attend COMMAND' && out_has '^  bench ' && out_has '^  info ' &&
    err_is_empty
}

every_command_has_help() {
  local commands command
  run --help
  commands=$(sed -n '/^Commands:/,$s/^  \([a-z]*\) .*/\1/p' "$out")
  [ -n "$commands" ] || disagree 'commands in the help text' || return
  for command in $commands; do
    run "$command" --help
    exits 0 && out_has "^Usage: attend $command" && out_has '--help ' && err_is_empty || return
    case $command in shapes) ;; *) out_has '--blas-core' || return ;; esac
    mv "$out" "$scratch/long"
    run help "$command"
    exits 0 && cmp "$out" "$scratch/long" || return
  done
}

help_wins_over_other_options() {
  run info --threads 1 --help
  exits 0 && out_has '^Usage: attend info' && err_is_empty
}

version_is_the_headers() {
  local wanted
  wanted=$(sed -n 's/^#define ATTEND_VERSION_\(MAJOR\|MINOR\|PATCH\) //p' \
    "$here/../../include/attend/version.h" | paste -sd.)
  run --version
  exits 0 && [ "$(cat "$out")" = "attend $wanted" ] || disagree "attend $wanted"
}

# --- usage errors ---

no_command() {
  run
  exits 2 && err_has '^Usage: attend COMMAND' && out_is_empty
}

unknown_command() {
  refuses 'no command "paint".*: bench, compare, ' paint && refuses 'did you mean info' ifno &&
    refuses 'no command "paint"' help paint && refuses '"--json" stands where' --json
}

unknown_option() {
  refuses 'no option --jsno; did you mean --json' info --jsno &&
    refuses 'no option --colour; attend info --help' info --colour &&
    refuses 'no option --colour' bench --colour && refuses 'no option -x' info -x &&
    refuses '--m is the beginning of more than one' info --m
}

misused_option() {
  refuses '--threads needs a value' info --threads &&
    refuses '--json takes no value' info --json=yes &&
    refuses '"everything" is not an option' info everything &&
    refuses 'the name is empty' info --blas-core ''
}

bad_numbers() {
  local bad
  for bad in abc '' -1 +1 ' 2' 1e3 0x10 2.0; do
    refuses '--threads: ".*" is not a whole number; give one from 1 to 1024' \
      info --threads "$bad" || return
  done
  for bad in 0 1025 18446744073709551616 99999999999999999999999; do
    refuses "--threads: $bad is out of range; give a number from 1 to 1024" \
      info --threads "$bad" || return
  done
  for bad in fast 0 -1 nan inf 1e9 1s; do
    refuses "--seconds: \"$bad\" is not a time" info --seconds "$bad" || return
  done
}

bytes_have_units() {
  local bad
  for bad in '' GiB 2GB 1.5GiB -1; do
    refuses "--memory-limit: \"$bad\" is not a number of bytes" bench --memory-limit "$bad" || return
  done
  for bad in 0 0KiB 18446744073709551616 17179869184GiB; do
    refuses "--memory-limit: $bad is out of range" bench --memory-limit "$bad" || return
  done
  run bench --model class-2x32 --tokens 32 --paths naive,blas --memory-limit 3KiB --yardstick-time 0.01 --no-restart \
    --json
  exits 0 && json_has options.memory_limit_bytes=3072
}

bad_lists() {
  refuses '--tokens: item 2 of the list is empty' bench --tokens 512,,2048 &&
    refuses '--tokens: item 1 of the list is empty' bench --tokens '' &&
    refuses '--tokens: item 3 of the list is empty' bench --tokens 1,2, &&
    refuses '--tokens: "many" is not a whole number' bench --tokens 512,many &&
    refuses '--tokens: 99999999999999999999 is out of range' bench --tokens 99999999999999999999 &&
    refuses '--tokens: the list has more than 64 items' \
      bench --tokens "$(seq -s, 65)" &&
    refuses 'item 1 of the list is longer' bench --model "$(printf '%064d' 0)"
}

bad_names() {
  refuses 'no model "qwen2.5-0.6b"; did you mean qwen' bench --model qwen2.5-0.6b &&
    refuses 'no model "bert"; attend info --models' bench --model llama-7b,bert &&
    refuses 'no path "fast"; give tiled, blas or naive' bench --paths naive,fast
}

full_disk() {
  status=0 ran='attend info >/dev/full'
  "$tool" info >/dev/full 2>"$err" || status=$?
  : >"$out"
  exits 1 && err_has '^attend: standard output could not be written'
}

# --- info ---

info_text() {
  run info --no-restart
  exits 0 && err_is_empty && out_has '^Processor' && out_has '^  cores  *[1-9]' &&
    out_has '^  scalar  *yes  *yes' && out_has '^  families  *pack_keys, ' &&
    out_has "^  core  *$native .*, chosen by OpenBLAS" && out_has '^  threading  *[Opns]' &&
    out_has '^Doctor'
}

info_json() {
  run info --json --no-restart
  exits 0 && err_is_empty && json_has schema.name=attend-info schema.version=1 attend_version \
    processor.name processor.cores processor.l3_bytes kernels.isas#5 kernels.isas.0.isa=scalar \
    kernels.isas.0.usable=true kernels.chosen kernels.families.0=pack_keys blas.version \
    blas.config blas.core="$native" blas.core_origin=detected blas.core_before="$native" \
    blas.threading blas.threads openmp.threads measured.limits=null \
    measured.core_comparison=null findings models.0.name models.0.query_heads models.0.qkv_bias \
    models.0.rope.pairing=half models.0.rope.base=1000000.0 models.0.rope.scaling=none \
    models.0.qk_norm=false models.0.softcap=null models.0.window=null models.0.sliding_layers=0
}

info_lists_models() {
  run info --models
  exits 0 && out_has '^model  *E  *Hq  *Hk' &&
    out_has '^qwen2.5-0.5b  *896  *14  *2  *64  *64  *24  *qkv  *1000000  *none  *plain ' &&
    out_has '^gpt-oss-20b .* 150000 yarn x32  *12 x 128  *sinks ' &&
    out_has '^gemma-2-2b .* 10000  *13 x 4096  *softcap 50 ' &&
    out_has '^gpt2-small .* none  *none  *plain ' || return
  local models=$(($(wc -l <"$out") - 1))
  run info --models --json
  exits 0 && json_has "models#$models"
}

threads_beyond_cores() {
  local many=$(($(nproc --all) + 1))
  run info --threads "$many" --json
  exits 0 && json_has "$last_finding.code=threads_exceed_cores" || return
  OMP_NUM_THREADS=$many run info
  exits 0 && out_has "finding  *$many OpenMP threads \(OMP_NUM_THREADS=$many\) share"
}

# Limits that were measured beside programs on every core are a finding, where the system counts their time.
shared_cores_are_found() {
  local busy=() core
  for ((core = 0; core < 2 * $(nproc); core++)); do
    while :; do :; done &
    busy+=($!)
  done
  run info --measure --seconds 0.04 --json
  kill "${busy[@]}"
  wait "${busy[@]}" 2>/dev/null
  exits 0 && grep -q '"code": "cores_shared"' "$out" || disagree 'the finding cores_shared'
}

# --- the core of OpenBLAS ---

core_is_switched() {
  run info --json --blas-core "$low"
  exits 0 && err_lines 1 && err_has "^attend: starting again under OpenBLAS's $low core" &&
    json_has blas.core="$low" blas.core_origin=restart blas.core_before="$native"
}

core_in_use_needs_no_restart() {
  run info --json --blas-core "$native"
  exits 0 && err_is_empty && json_has blas.core_origin=detected || return
  run info --json --blas-core best
  exits 0 && err_is_empty && json_has blas.core_origin=detected
}

unknown_core() {
  run info --blas-core Nonsense
  exits 1 && out_is_empty && err_has '^attend: --blas-core Nonsense: .*no such core' || return
  run info --blas-core a,b
  exits 1 && err_has '^attend: --blas-core a,b: ' || return
  run info --blas-core Haswel
  exits 1 && err_has 'did you mean Haswell'
}

core_beyond_the_processor() {
  refuses 'needs AVX-512, which the processor or the operating system does not allow' \
    info --blas-core SkylakeX
}

held_core_is_respected() {
  OPENBLAS_CORETYPE=$low run info --json
  exits 0 && err_is_empty && json_has blas.core="$low" blas.core_origin=user \
    findings.0.code=core_held || return
  OPENBLAS_CORETYPE=$low run info
  exits 0 && [ "$(grep -c "OPENBLAS_CORETYPE=$low" "$out")" -eq 1 ] ||
    disagree 'one finding about the core'
}

held_core_is_warned_about_once() {
  OPENBLAS_CORETYPE=$low run bench --model class-2x32 --tokens 8 --paths naive
  exits 0 && err_has "^attend: OPENBLAS_CORETYPE=$low holds OpenBLAS" &&
    [ "$(grep -c OPENBLAS_CORETYPE "$err")" -eq 1 ] || disagree 'one warning'
}

held_core_is_cured() {
  OPENBLAS_CORETYPE=$low run info --json --blas-core best
  exits 0 && err_lines 1 && err_has "in place of $low, as --blas-core best asks" &&
    json_has blas.core_origin=restart blas.core_before="$low" findings.0.code=core_held &&
    ! "$json_check" "$out" blas.core="$low" 2>/dev/null
}

low_core_is_measured() {
  OPENBLAS_CORETYPE=$low run info --measure --seconds 0.01 --json
  exits 0 && json_has measured.limits.0.threads=1 measured.limits.0.fma_gflops.scalar \
    measured.core_comparison.low_core="$low" measured.core_comparison.high_sgemm_gflops &&
    ! "$json_check" "$out" measured.limits.0.sgemm_gflops=null 2>/dev/null &&
    grep -q '"cost": "Measured here: sgemm gives ' "$out" || disagree 'measured figures'
}

# A shared object that makes OpenBLAS say what it would on a machine that it does not recognise, or
# in another build: what no real machine can be made to do at will.
build_shim() {
  cat >"$scratch/shim.c" <<'SHIM'
#include <stdlib.h>
char *openblas_get_corename(void) {
  static char detected[] = CORE;
  char *asked = getenv("OPENBLAS_CORETYPE");
  return asked == NULL || getenv("SHIM_ONE_CORE") != NULL ? detected : asked;
}
int openblas_get_parallel(void) {
  const char *kind = getenv("SHIM_THREADING");
  return kind != NULL ? atoi(kind) : 2;
}
SHIM
  cc -shared -fPIC -DCORE="\"$low\"" -o "$scratch/shim.so" "$scratch/shim.c" 2>/dev/null
}

# shimmed ARGUMENT...: run() with the shim loaded.
shimmed() {
  LD_PRELOAD=$scratch/shim.so run "$@"
}

wrong_detection_is_corrected() {
  shimmed info --json
  exits 0 && err_lines 1 && err_has "for $low; starting again under its" &&
    json_has blas.core_origin=restart blas.core_before="$low" findings.0.code=core_misdetected
}

wrong_detection_is_kept_on_request() {
  shimmed info --json --no-restart
  exits 0 && err_is_empty &&
    json_has blas.core="$low" blas.core_origin=detected findings.0.code=core_misdetected
}

build_of_one_core_ends() {
  SHIM_ONE_CORE=1 shimmed info --json
  exits 0 && json_has blas.core="$low" findings.0.code=core_not_selectable || return
  SHIM_ONE_CORE=1 shimmed info --blas-core best
  exits 1 && out_is_empty && err_has "^attend: --blas-core best: OpenBLAS stays at its $low core"
}

other_builds_are_named() {
  SHIM_THREADING=1 shimmed info --json --blas-core best
  exits 0 && json_has findings.1.code=blas_pthreads || return
  SHIM_THREADING=0 shimmed info --json --blas-core best
  exits 0 && json_has findings.1.code=blas_serial
}

# --- what this machine allows ---

# holds CLAIM: whether the JSON of a plain `attend info` has it.
holds() {
  "$json_check" "$scratch/machine" "$1" 2>/dev/null
}

"$tool" info --json --no-restart >"$scratch/machine" 2>/dev/null
native=$(sed -n 's/^ *"core": "\(.*\)",$/\1/p' "$scratch/machine")
low='' last_finding=findings.0
if ! grep -q DYNAMIC_ARCH "$scratch/machine"; then
  why='this OpenBLAS has one core only'
elif holds findings.0.code=core_misdetected; then
  why='this OpenBLAS takes a low core by itself'
elif holds blas.processor_class=AVX-512; then
  low=Haswell
elif holds blas.processor_class=AVX2; then
  low=Sandybridge
else
  why='no core is below this processor'
fi
while holds "$last_finding"; do last_finding=findings.$((${last_finding#*.} + 1)); done

# low_check NAME FUNCTION: a case that needs $low.
low_check() {
  if [ -n "$low" ]; then check "$@"; else skip "$1" "$why"; fi
}

# shim_check NAME FUNCTION: a case that needs the shim to be listened to.
shim_check() {
  if [ -n "$shim" ]; then check "$@"; else skip "$1" 'the shim could not be built or preloaded'; fi
}

check 'help lists the commands' help_lists_commands
check 'every command has help' every_command_has_help
check 'help wins over other options' help_wins_over_other_options
check 'version is that of the header' version_is_the_headers
check 'no command: help on stderr, status 2' no_command
check 'unknown commands are refused' unknown_command
check 'unknown options are refused' unknown_option
check 'misused options are refused' misused_option
check 'bad numbers are refused' bad_numbers
check 'bytes have units' bytes_have_units
check 'bad lists are refused' bad_lists
check 'unknown models and paths are refused' bad_names
check 'a full disk is an error' full_disk
check 'info as text' info_text
check 'info as JSON' info_json
check 'info lists the models' info_lists_models
check 'more threads than cores is a finding' threads_beyond_cores
if grep -qE '^cpu[0-9]+ .*[1-9]' /proc/stat 2>/dev/null; then
  check 'cores shared with other programs' shared_cores_are_found
else
  skip 'cores shared with other programs' 'there is no /proc/stat'
fi
low_check '--blas-core NAME starts again under it' core_is_switched
low_check '--blas-core with the core in use does nothing' core_in_use_needs_no_restart
low_check 'an unknown core is an error' unknown_core
if holds blas.processor_class=AVX-512; then
  skip 'a core beyond the processor is refused' 'no core is beyond this processor'
else
  check 'a core beyond the processor is refused' core_beyond_the_processor
fi
low_check 'a core held by the user is respected' held_core_is_respected
low_check 'a core held by the user is warned about once' held_core_is_warned_about_once
low_check '--blas-core best cures a held core' held_core_is_cured
low_check 'the cost of a held core is measured' low_core_is_measured
shim=''
if [ -n "$low" ] && build_shim && shimmed info --json --no-restart &&
  "$json_check" "$out" blas.core="$low" 2>/dev/null; then
  shim=yes
fi
shim_check 'wrong detection is corrected' wrong_detection_is_corrected
shim_check 'wrong detection is kept with --no-restart' wrong_detection_is_kept_on_request
shim_check 'a build with one core ends the restarts' build_of_one_core_ends
shim_check 'pthreads and serial builds are findings' other_builds_are_named
finish
