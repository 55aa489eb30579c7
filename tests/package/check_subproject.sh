#!/usr/bin/env bash
# Checks that a Meson project can have the source tree as a subproject: configured without attend on the
# machine, built, and its host program run.
#
#   tests/package/check_subproject.sh
set -uo pipefail
here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd -P)
. "$here/../support/tap.sh"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
unset CFLAGS LDFLAGS LD_LIBRARY_PATH

# The host's project may not lie within ours, which would then be its own subproject's subproject.
lay_out() {
  mkdir -p "$work/host/subprojects" &&
    cp "$here/subproject/meson.build" "$here/install/consumer.c" "$work/host" &&
    ln -s "$here/../.." "$work/host/subprojects/attend"
}

configure() {
  meson setup --wrap-mode=forcefallback "$work/build" "$work/host" &&
    [[ -n $(find "$work/build/subprojects/attend" -name '*.p' -print -quit) ]]
}

# The program is all that is built: nothing of the subproject's tests or benchmarks is needed for it.
build() {
  ninja -C "$work/build" consumer
}

# asks_for COUNT: in how many ways the program needs libattend.so.
asks_for() {
  local needed
  needed=$(LC_ALL=C readelf -d "$work/build/consumer" | grep -c 'NEEDED.*libattend')
  printf 'libattend among the shared libraries it needs: %s\n' "$needed"
  [[ $needed == "$1" ]]
}

runs() {
  asks_for "$1" && "$work/build/consumer"
}

build_statically() {
  meson configure -Dattend:default_library=static "$work/build" && build
}

check "a project is laid out" lay_out
check "it is configured" configure
check "its program is built" build
check "its program runs" runs 1
check "its program is built with the static library" build_statically
check "it runs" runs 0
finish
