#!/usr/bin/env bash
# Checks that every C and C++ file in the tree, committed or not, is as .clang-format wants it.
# The code is written so that the versions of Debian 12 and 13 agree, 14 and 19.
set -uo pipefail
here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd -P)
. "$here/../support/tap.sh"
cd "$here/../.." || exit 1

# Hidden directories and build directories hold nothing that was written by hand.
mapfile -d '' files < <(find . -type d \( -name '.?*' -o -name 'build*' \) -prune -o \
  -type f \( -name '*.[ch]' -o -name '*.cc' \) -print0 | sort -z)

# Names each file that is not, and how to mend it.
all_formatted() {
  local file status=0
  clang-format --dry-run -Werror "${files[@]}" 2>/dev/null && return
  for file in "${files[@]}"; do
    clang-format --dry-run -Werror "$file" 2>/dev/null && continue
    printf 'clang-format -i %q\n' "$file"
    status=1
  done
  return "$status"
}

if ! command -v clang-format >/dev/null; then
  skip "formatting of ${#files[@]} files" 'clang-format is not installed'
else
  check "formatting of ${#files[@]} files" all_formatted
fi
finish
