#!/usr/bin/env bash
# Runs what a host meets once more, with OpenBLAS's build on pthreads in place of the one that this
# library was linked against: it has threads of its own, and one number of threads for the whole process.
#
#   tests/host/test_host_pthreads.sh PROGRAM...
set -uo pipefail
here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd -P)
. "$here/../support/tap.sh"

library=$(find /usr/lib /usr/lib64 -path '*openblas-pthread*' -name libopenblas.so.0 2>/dev/null | head -n 1)
export LD_LIBRARY_PATH=${library%/*}${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}

is_taken() {
  ldd "$1"
  ldd "$1" | grep "libopenblas.so.0 => $library " >/dev/null
}

for program; do
  name=${program##*/}
  if [[ -z $library ]]; then
    skip "$name" 'there is no OpenBLAS built on pthreads here'
    continue
  fi
  check "$name takes the build on pthreads" is_taken "$program"
  check "$name" "$program"
done
finish
