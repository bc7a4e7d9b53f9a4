# shellcheck shell=bash disable=SC2034 # what it sets is read elsewhere
# What system this is, and what Java needs to know of it. Sourced.
# QNEXT_SYSTEM_ROOT stands before every absolute path that is looked up: for tests.

system_root=${QNEXT_SYSTEM_ROOT:-}
mlx_version=0.32.2
mlx_folder=mlx-$mlx_version # in cache_folder; scripts/install-mlx makes it

die() {
  printf '%s: %s\n' "${program:-qnext}" "$1" >&2
  exit 1
}

warn() {
  printf '%s: %s\n' "${program:-qnext}" "$1" >&2
}

# Sets system (Darwin, Linux), machine (arm64, x86_64: the processor's, not that of a translated shell) and
# cache_folder (empty when there is no place for one).
read_system() {
  local name
  name=$(uname -sm)
  system=${name%% *}
  machine=${name##* }
  case $name in
    *' aarch64') machine=arm64 ;;
    'Darwin x86_64') [ "$(sysctl -n hw.optional.arm64 2>/dev/null)" = 1 ] && machine=arm64 ;;
  esac

  cache_folder=''
  case ${XDG_CACHE_HOME:-} in
    /*) # others are to be ignored, says the XDG Base Directory Specification
      cache_folder=$XDG_CACHE_HOME/qnext
      return
      ;;
  esac
  if [ -z "${HOME:-}" ]; then
    return
  elif [ "$system" = Darwin ]; then
    cache_folder=$HOME/Library/Caches/qnext
  else
    cache_folder=$HOME/.cache/qnext
  fi
}

# Sets distribution (its id and those it is like) and distribution_version (the number before the point; a rolling one
# has none and counts as new).
read_distribution() {
  distribution='' distribution_version=''
  local key value
  [ -f "$system_root/etc/os-release" ] || return
  while IFS='=' read -r key value || [ -n "$key" ]; do
    value=${value#\"} value=${value%\"}
    case $key in
      ID | ID_LIKE) distribution="$distribution $value" ;;
      VERSION_ID) distribution_version=${value%%[!0-9]*} ;;
    esac
  done <"$system_root/etc/os-release"
  distribution_version=${distribution_version:-99}
}

set_environment() {
  if [ "$system" = Darwin ]; then
    # MLX commits a command buffer after so many megabytes or operations. An expert stack counts whole, so the defaults
    # split every layer: 75.7 against 94.5 tokens/s on an M3 Max. On M5 there is nothing to gain.
    case $(sysctl -n machdep.cpu.brand_string 2>/dev/null) in
      'Apple M'[1-4] | 'Apple M'[1-4]' '*)
        export MLX_MAX_MB_PER_BUFFER="${MLX_MAX_MB_PER_BUFFER:-1024}"
        export MLX_MAX_OPS_PER_BUFFER="${MLX_MAX_OPS_PER_BUFFER:-1000}"
        ;;
    esac
  else
    # In the C locale Java turns every letter of an argument that is not ASCII into '?'.
    case ${LC_ALL:-${LC_CTYPE:-${LANG:-C}}} in
      C | POSIX) export LC_ALL=C.UTF-8 ;;
    esac
  fi
}
