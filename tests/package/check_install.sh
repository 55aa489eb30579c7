#!/usr/bin/env bash
# Checks what a host program meets: the tree that `meson install` leaves, a C and a C++ program compiled
# against it through pkg-config, with the shared and with the static library, and run.
#
# The tree is staged with DESTDIR so that the build directory needs no prefix of its own. Only the
# prefix line of attend.pc is then moved to the stage; the rest is used as installed.
#
#   tests/package/check_install.sh [BUILD_DIRECTORY]
set -uo pipefail
here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd -P)
. "$here/../support/tap.sh"
build=$(cd -- "${1:-$here/../../build}" && pwd -P) || exit 1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
stage=$work/stage

# A host program inherits none of the flags that this build was given.
unset CFLAGS CXXFLAGS LDFLAGS LD_LIBRARY_PATH PKG_CONFIG_SYSROOT_DIR

install_tree() {
  meson install -C "$build" --no-rebuild --destdir "$stage"
}

# locate NAME: the directory under the stage that holds a file of this name.
locate() {
  dirname "$(find "$stage" -name "$1" -print -quit)"
}

complete() {
  local name status=0
  for name in attend attend.h io.h version.h attend.pc libattend.so libattend.a \
    attend-config.cmake attend-config-version.cmake attend.1 attend.3 _attend; do
    find "$stage" \( -type f -o -type l \) -name "$name" | grep . >/dev/null && continue
    printf '%s was not installed\n' "$name"
    status=1
  done
  return "$status"
}

# The prefix that attend.pc names must be the one the headers were staged under.
move_prefix() {
  local prefix
  prefix=$(sed -n 's/^prefix=//p' "$pkgconfig/attend.pc")
  [[ -n $prefix && -f $stage$prefix/include/attend/attend.h ]] || {
    printf 'attend.pc names the prefix "%s"\n' "$prefix"
    return 1
  }
  sed -i "s|^prefix=.*|prefix=$stage$prefix|" "$pkgconfig/attend.pc"
}

version() {
  awk '$2 ~ /^ATTEND_VERSION_/ && NF == 3 { text = text dot $3; dot = "." } END { print text }' \
    "$here/../../include/attend/version.h"
}

same_version() {
  local found
  found=$(PKG_CONFIG_PATH=$pkgconfig pkg-config --modversion attend)
  printf 'found %s, wanted %s\n' "$found" "$(version)"
  [[ $found == "$(version)" ]]
}

# build_and_run COMPILER STANDARD SOURCE [--static]: flags come from pkg-config alone.
build_and_run() {
  local flags program=$work/consumer
  flags=$(PKG_CONFIG_PATH=$pkgconfig pkg-config ${4-} --cflags --libs attend) || return 1
  printf '%s %s\n' "$1" "$flags"
  # shellcheck disable=SC2086
  "$1" -std="$2" -Wall -Wextra -Werror -o "$program" "$here/install/$3" $flags -lm || return 1
  needs_library "$program" "${4-}" || return 1
  LD_LIBRARY_PATH=$libraries "$program"
}

only_prefixed_names() {
  local names
  names=$(nm -g --defined-only --format=posix "$libraries/libattend.a" | awk 'NF > 1 { print $1 }') || return
  grep -q '^attend_open$' <<<"$names" && ! grep -v '^attend_' <<<"$names"
}

# A host with functions of its own under every name that the library's sources use.
same_names() {
  local flags source=$work/host_names.c
  awk '$1 == "#define" && NF == 3 { print "int " $2 "(void);\nint " $2 "(void) {\n  return 1;\n}" }' \
    "$here/../../src/private_names.h" >"$source"
  grep -q 'int file_open(void) {' "$source" || return
  flags=$(PKG_CONFIG_PATH=$pkgconfig pkg-config --static --cflags --libs attend) || return
  # shellcheck disable=SC2086
  cc -std=c11 -Wall -Wextra -Werror -o "$work/host" "$here/install/consumer.c" "$source" \
    $flags -lm && "$work/host"
}

build_engine() {
  local flags
  flags=$(PKG_CONFIG_PATH=$pkgconfig pkg-config --cflags --libs attend openblas jansson) || return 1
  # shellcheck disable=SC2086
  cc -std=gnu11 -D_GNU_SOURCE -Wall -Wextra -Werror -o "$work/toy" "$here"/../../examples/toy/*.c $flags -lm &&
    LD_LIBRARY_PATH=$libraries "$work/toy" --help | grep '^Usage: toy'
}

# A program linked statically must not ask for libattend.so, and the other must.
needs_library() {
  local needed
  needed=$(LC_ALL=C readelf -d "$1" | grep -c 'NEEDED.*libattend')
  printf 'libattend among the shared libraries it needs: %s\n' "$needed"
  [[ $needed == $([[ -z $2 ]] && echo 1 || echo 0) ]]
}

tool_runs() {
  local found
  found=$(LD_LIBRARY_PATH=$libraries "$(locate attend.h)/../../bin/attend" --version)
  printf 'it printed: %s\n' "$found"
  [[ $found == *"$(version)"* ]]
}

# cmake_finds VERSION: a CMake project that asks for it is configured. Where Meson puts libraries under
# lib64 CMake on Debian does not look for packages, so the place is named.
cmake_finds() {
  rm -rf "$work/cmake"
  cmake -G Ninja -S "$here/cmake" -B "$work/cmake" -Dattend_DIR="$(locate attend-config.cmake)" \
    -DWANTED="$1"
}

cmake_builds() {
  cmake_finds "$(version)" && cmake --build "$work/cmake" &&
    needs_library "$work/cmake/consumer" '' && LD_LIBRARY_PATH=$libraries "$work/cmake/consumer"
}

# A version with another soname, and one that is not out yet.
cmake_refuses() {
  local version
  for version in 999.0 "$(version).1"; do
    cmake_finds "$version" >"$work/log" 2>&1 && return 1
    cat "$work/log"
    grep -q 'attend-config.cmake, version' "$work/log" || return 1
  done
}

check "meson install" install_tree
pkgconfig=$(locate attend.pc)
libraries=$(locate libattend.a)
check "the tree is complete" complete
check "attend.pc names the prefix" move_prefix
check "attend.pc has the version of version.h" same_version
check "the installed tool runs" tool_runs
check "C program, shared library" build_and_run cc c11 consumer.c
check "C++ program, shared library" build_and_run c++ c++17 consumer.cc
for example in "$here"/../../examples/0*.c; do
  name=$(basename "$example")
  check "examples/$name, shared library" build_and_run cc c11 "../../../examples/$name"
done
check "examples/toy, shared library" build_engine
if command -v cmake >/dev/null; then
  check "CMake project" cmake_builds
  check "CMake refuses versions that this is not" cmake_refuses
else
  skip "CMake project" 'there is no cmake here'
fi
# With both there, the linker takes the shared one.
rm -f "$libraries"/libattend.so*
check "all global names of the static library begin with attend_" only_prefixed_names
check "C program with functions of the same names, static library" same_names
check "C program, static library" build_and_run cc c11 consumer.c --static
check "C++ program, static library" build_and_run c++ c++17 consumer.cc --static
finish
