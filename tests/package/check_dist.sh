#!/usr/bin/env bash
# Checks that `meson dist` gives a tarball that lives without git: unpacked, configured, built, and a few
# tests run. The tarball is of the last commit; what is not committed is not in it.
#
#   tests/package/check_dist.sh [BUILD_DIRECTORY]
set -uo pipefail
here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd -P)
. "$here/../support/tap.sh"
build=$(cd -- "${1:-$here/../../build}" && pwd -P) || exit 1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

pack() {
  meson dist -C "$build" --formats gztar --no-tests --allow-dirty
}

# Beside the tarball, a checksum that fits.
unpack() {
  tarball=$(find "$build/meson-dist" -name '*.tar.gz' -newer "$work" -print -quit)
  [[ -n $tarball ]] && (cd -- "${tarball%/*}" && sha256sum -c "${tarball##*/}.sha256sum") &&
    tar -C "$work" -xzf "$tarball" && mv "$work"/attend-* "$work/attend" && [[ ! -e $work/attend/.git ]]
}

compile() {
  (cd -- "$work/attend" && meson setup -Doptimization=1 "$work/build" && ninja -C "$work/build" \
    src/libattend.a src/cli/attend tests/unit/test_core tests/unit/test_layer tests/support/json_check)
}

run_tests() {
  meson test -C "$work/build" --no-rebuild test_core test_layer
}

tool_has_its_version() {
  [[ $("$work/build/src/cli/attend" --version) == "attend $(version)" ]]
}

version() {
  awk '$2 ~ /^ATTEND_VERSION_/ && NF == 3 { text = text dot $3; dot = "." } END { print text }' \
    "$here/../../include/attend/version.h"
}

check "meson dist" pack
check "the tarball is complete" unpack
check "it is built outside git" compile
check "its tests pass" run_tests
check "its tool has the version" tool_has_its_version
finish
