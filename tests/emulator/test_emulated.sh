#!/usr/bin/env bash
# tests/emulator/test_emulated.sh TOOL JSON_CHECK PROGRAM... - test programs on emulated processors that lack
# AVX-512, or all of AVX, so that an instruction of a wider ISA in the code of a narrower one ends them.
#
# Emulation is some fifty times slower, so the programs are few: one that calls every kernel, and one
# that calls them through layers and caches. OpenBLAS is held to a core that the processor has, as it
# would be on a real one. Where the programs cannot be emulated every case is skipped with the reason.
set -uo pipefail
here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd -P)
. "$here/../support/tap.sh"

usage='usage: test_emulated.sh TOOL JSON_CHECK PROGRAM...'
tool=${1:?$usage}
json_check=${2:?$usage}
shift 2
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# Our best ISA on each processor, its core of OpenBLAS, and an instruction that it lacks.
processors='
Haswell avx2   Haswell vpxord %zmm0,%zmm0,%zmm0
Nehalem scalar Nehalem vxorps %ymm0,%ymm0,%ymm0
'

# emulated [OPTION...] COMMAND...: runs it on the processor of this turn.
emulated() {
  OPENBLAS_CORETYPE=$core qemu-x86_64 -cpu "$processor" "$@"
}

# Without this a program that passes would prove nothing.
instruction_is_illegal() {
  local status=0
  printf 'int main(void) { __asm__ volatile("%s"); return 0; }\n' "$instruction" \
    >"$scratch/illegal.c"
  cc -o "$scratch/illegal" "$scratch/illegal.c" || return
  emulated "$scratch/illegal" || status=$?
  # 128 + SIGILL
  [ "$status" -eq 132 ] || {
    printf '%s on %s: exit status %d, expected 132\n' "$instruction" "$processor" "$status"
    return 1
  }
}

tool_takes_its_kernels() {
  emulated "$tool" info --json --no-restart >"$scratch/info" &&
    "$json_check" "$scratch/info" "kernels.chosen=$isa" "blas.core=$core"
}

# QEMU 7.2 reads all of a masked load, also the lanes that the mask leaves out, so the pages that fence
# the tests' buffers stay readable here; a processor that is real says what is read beyond a buffer.
build_fence_remover() {
  cat >"$scratch/fences.c" <<'FENCES'
#define _GNU_SOURCE
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>
int mprotect(void *address, size_t bytes, int protection) {
  return protection == PROT_NONE ? 0 : (int)syscall(SYS_mprotect, address, bytes, protection);
}
FENCES
  cc -shared -fPIC -o "$scratch/fences.so" "$scratch/fences.c"
}

# In fp32 and the kernels of all precisions: the emulation is slow. In QEMU 7.2 the modes that take
# denormals for zero also act on VCVTPH2PS and VCVTPS2PH, on a processor they do not.
program_passes() {
  local filter=()
  # The other half of its time goes to AMX tiles that the test itself emulates, in no ISA's code.
  [[ $1 == */test_kernels ]] && filter=('kernel_*')
  ATTEND_TEST_KEEP_DENORMALS=1 ATTEND_ISA=$isa ATTEND_PRECISION=fp32 \
    emulated -E "LD_PRELOAD=$scratch/fences.so" "$1" ${filter[@]+"${filter[@]}"}
}

# why_not: says why the programs cannot be emulated here; nothing if they can.
why_not() {
  if ! command -v qemu-x86_64 >/dev/null; then
    echo 'there is no qemu-x86_64 (Debian: qemu-user)'
  elif [ "$(uname -m)" != x86_64 ]; then
    echo 'the programs are not for x86-64'
  elif grep -q __asan_init "$tool"; then
    echo 'sanitizers do not run in it'
  elif [ -n "${ATTEND_ISA-}" ]; then
    echo "ATTEND_ISA=$ATTEND_ISA is set, and each processor decides its own"
  elif ! build_fence_remover 2>/dev/null; then
    echo 'there is no compiler for what the emulation needs'
  fi
}

reason=$(why_not)

# case_of NAME COMMAND...
case_of() {
  if [ -n "$reason" ]; then skip "$processor: $1" "$reason"; else check "$processor: $1" "${@:2}"; fi
}

while read -r processor isa core instruction; do
  [ -n "$processor" ] || continue
  case_of "an instruction that it lacks is illegal" instruction_is_illegal
  case_of "the tool takes its kernels" tool_takes_its_kernels
  for program in "$@"; do
    case_of "$(basename -- "$program") passes" program_passes "$program"
  done
done <<<"$processors"
finish
