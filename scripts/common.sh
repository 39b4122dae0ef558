# Shared by the scripts of this folder: sourced, in the root of the source tree.
export CCACHE_NOHASHDIR=1 CCACHE_BASEDIR=$PWD
export CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime
name=$(basename "$0")

say() { printf '%s: %s\n' "$name" "$*"; }
die() { printf '%s: %s\n' "$name" "$*" >&2; exit 1; }

# As many compilers at once as there are processors and as memory holds: LibTorch takes 1.5 GiB a translation unit.
jobs=$(nproc)
memory=$(awk '/^MemAvailable:/ {print int($2 / 1572864)}' /proc/meminfo 2>/dev/null || true)
if [ -n "$memory" ] && [ "$memory" -lt "$jobs" ]; then
  jobs=$((memory > 0 ? memory : 1))
fi

# build PRESET [CMAKE OPTION…] [-- TARGET…]: configures and builds. Quiet but for a progress line; on failure, the
# compiler's words.
build() {
  local preset=$1 options=() targets=() log
  shift
  while [ $# -gt 0 ] && [ "$1" != -- ]; do options+=("$1"); shift; done
  if [ $# -gt 0 ]; then shift; targets=(--target "$@"); fi
  mkdir -p build
  log=build/$preset-build.log
  say "configuring build/$preset"
  if ! cmake --preset "$preset" "${options[@]}" >"$log" 2>&1 </dev/null; then
    tail -n 40 "$log" >&2
    die "configuring failed (build/$preset)"
  fi
  say "building build/$preset with $jobs processes (log in $log)"
  if [ -t 1 ]; then
    cmake --build "build/$preset" -j "$jobs" "${targets[@]}" </dev/null 2>&1 | tee "$log"
  elif ! cmake --build "build/$preset" -j "$jobs" "${targets[@]}" >"$log" 2>&1 </dev/null; then
    grep -n -A 20 -E 'FAILED|error:' "$log" | head -n 80 >&2 || true
    die "the build failed (log in $log)"
  fi
}
