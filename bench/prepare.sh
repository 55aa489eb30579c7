# bench/prepare.sh - from a bare machine to a built tree. Sourced by bench/run, tests/run and .ci/run.
#
# Owns the list of what the project needs and the state of the build directories. Installs only what
# is missing, and only through apt-get; elsewhere it names what is missing and stops. Everything it
# says goes to stderr, so that the output of the program run afterwards can be piped.
#
#   prepare GROUP...            install what the groups need, configure and build build/
#   configure DIR [OPTION...]   set up a build directory, afresh if it is stale

top=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd -P)

# group, kind and name of what is looked for, package of Debian and Ubuntu.
# libopenblas-dev would bring the pthreads build, which knows nothing of OpenMP's threads. OpenBLAS asks
# for gfortran's library where it is linked through `pkg-config --static`.
needs='
build command cc           gcc
build header  stdio.h      libc6-dev
build command meson        meson
build command ninja        ninja-build
build command pkg-config   pkg-config
build module  openblas     libopenblas-openmp-dev
build module  jansson      libjansson-dev
build module  libutf8proc  libutf8proc-dev
tests module  cmocka       libcmocka-dev
build command gnuplot      gnuplot-nox
tests command c++          g++
tests library gfortran     gfortran
tests file    openblas-pthread/libopenblas.so.0 libopenblas0-pthread
tests module  librsvg-2.0  librsvg2-dev
tests command cmake        cmake
tests command xmllint      libxml2-utils
ci    command gcc          gcc
ci    command clang        clang
ci    command clang-format clang-format
ci    openmp  clang        libomp-dev
ci    sanitizer thread     libclang-rt-dev
ci    command qemu-x86_64  qemu-user
'

say() {
  printf 'attend: %s\n' "$*" >&2
}

# found KIND NAME: whether this machine has it.
found() {
  case $1 in
    command) command -v "$2" ;;
    header) printf '#include <%s>\n' "$2" | cc -E - ;;
    module) pkg-config --exists "$2" ;;
    file) find /usr/lib /usr/lib64 -path "*/$2" 2>/dev/null | grep -q . ;;
    library) printf 'int main(void) { return 0; }\n' | cc -x c - -l"$2" -o /dev/null ;;
    sanitizer) printf 'int main(void) { return 0; }\n' | clang -fsanitize="$2" -x c - -o /dev/null ;;
    openmp) printf 'int main(void) { return 0; }\n' | "$2" -fopenmp -x c - -o /dev/null ;;
  esac >/dev/null 2>&1
}

# list_missing GROUP...: the lines of `needs` in these groups that this machine lacks.
list_missing() {
  local group kind name package
  while read -r group kind name package; do
    [[ -n $group && " $* " == *" $group "* ]] || continue
    found "$kind" "$name" || printf '%s %s %s\n' "$kind" "$name" "$package"
  done <<<"$needs"
}

# apt COMMAND...: apt-get that asks nothing, as root or through sudo; its words are shown only if it fails.
apt() {
  local log as_root=()
  if ((EUID != 0)); then
    as_root=(sudo)
    [[ -t 0 ]] || as_root=(sudo -n)
  fi
  log=$(mktemp)
  if ! ${as_root[@]+"${as_root[@]}"} env DEBIAN_FRONTEND=noninteractive \
    apt-get -q -y -o DPkg::Lock::Timeout=300 "$@" >"$log" 2>&1 </dev/null; then
    tail -n 20 "$log" >&2
    rm -f "$log"
    return 1
  fi
  rm -f "$log"
}

# install_missing GROUP...: afterwards everything the groups need is there, or the script has ended.
install_missing() {
  local missing packages
  missing=$(list_missing "$@")
  [[ -n $missing ]] || return 0
  packages=$(awk '{ print $3 }' <<<"$missing" | sort -u | paste -sd ' ')
  if ! command -v apt-get >/dev/null; then
    stop_without "$missing" 'there is no apt-get here to install it'
  fi
  if ((EUID != 0)) && ! command -v sudo >/dev/null; then
    stop_without "$missing" "run 'apt-get install $packages' as root"
  fi
  say "installing $packages"
  # An old package list may still do, so the install decides.
  apt update || say 'the package lists could not be brought up to date'
  # shellcheck disable=SC2086
  apt install --no-install-recommends $packages || say 'apt-get failed'
  missing=$(list_missing "$@")
  [[ -z $missing ]] || stop_without "$missing" 'apt-get did not bring it'
}

# stop_without MISSING WHY: names what is missing and ends the script.
stop_without() {
  say "this is missing ($2):"
  awk '{
    kind = $1 == "module" ? "pkg-config module" : $1 == "openmp" ? "OpenMP for" : $1
    printf "  %s %s (Debian: %s)\n", kind, $2, $3
  }' <<<"$1" >&2
  exit 1
}

# configure DIR [OPTION...]: DIR is stale when it was set up half, elsewhere, with other options, or
# with another version of Meson, the compiler or a library; it is then emptied and set up again. One
# that was set up by hand has no stamp and is taken as it is.
configure() {
  local directory=$top/$1 stamp
  shift
  # shellcheck disable=SC2086
  stamp=$(printf '%s\n' "$top" "$*" "$(meson --version)" "$(${CC:-cc} --version | head -n 1)" \
    "$(for name in openblas jansson libutf8proc cmocka librsvg-2.0; do
      pkg-config --modversion "$name" 2>&1
    done | tr '\n' ' ')")
  if [[ -f $directory/build.ninja ]]; then
    [[ -f $directory/.prepared ]] || return 0
    [[ $(<"$directory/.prepared") != "$stamp" ]] || return 0
  fi
  rm -rf "$directory"
  meson setup "$@" "$directory" "$top" >&2 && printf '%s\n' "$stamp" >"$directory/.prepared"
}

# prepare GROUP...: ends the script when something is missing or the build fails. ATTEND_SETUP has
# options of `meson setup` for build/. Without the group `tests` the tool alone is built.
prepare() {
  install_missing build "$@"
  # shellcheck disable=SC2086
  configure build ${ATTEND_SETUP-} || exit 1
  local targets=()
  [[ " $* " == *" tests "* ]] || targets=(src/cli/attend)
  ninja -C "$top/build" ${targets[@]+"${targets[@]}"} >&2 || exit 1
}
