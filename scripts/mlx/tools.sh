# shellcheck shell=bash disable=SC2034,SC2154
# What an installation needs of the system, looked for before anything is fetched. Sourced, after system.sh.

# Sets compiler (the words of the command). Ends the script with the command that installs what is missing.
require_tools() {
  # First: without the Command Line Tools the python3 and c++ of macOS are stubs that open a window.
  if [ "$system" = Darwin ]; then
    xcode-select -p >/dev/null 2>&1 || die 'the Command Line Tools of Xcode are missing; install them with: xcode-select --install'
  fi
  python3 -c 'import zipfile, sys; sys.exit(sys.version_info < (3, 9))' 2>/dev/null ||
    die "python3 3.9 or newer is missing; install it with: $(tool_command python3)"
  python3 -m pip --version >/dev/null 2>&1 || die "pip is missing; install it with: $(tool_command pip)"
  type -P cargo >/dev/null || type -P curl >/dev/null ||
    die "cargo or curl is needed to fetch mlx-c, and both are missing; install one with: $(tool_command cargo)"
  # shellcheck disable=SC2206 # CXX may be 'ccache g++'
  compiler=(${CXX:-c++})
  type -P "${compiler[0]}" >/dev/null ||
    die "the C++ compiler ${compiler[0]} is missing; install one with: $(tool_command c++)"
}

# Ends the script when the disk of the folder has too little room for what an installation needs at most.
require_room() { # FOLDER
  local needed=150 free=''
  [ "$system" != Darwin ] || needed=500
  [ -z "$variant" ] || needed=6000
  { read -r free && read -r _ _ _ free _; } <<TABLE
$(df -Pk "$1" 2>/dev/null)
TABLE
  case $free in
    '' | *[!0-9]*) return ;; # who knows
  esac
  [ "$((free / 1024))" -ge "$needed" ] ||
    die "$((free / 1024)) MB are free on the disk of $1, and $needed MB are needed: make room or set XDG_CACHE_HOME to another disk"
}

# tool_command python3|pip|cargo|c++|fmt
tool_command() {
  local sudo='sudo '
  [ "$EUID" -eq 0 ] && sudo=''
  if [ "$system" = Darwin ]; then
    case $1 in
      cargo) printf 'brew install rust' ;;
      fmt) printf 'softwareupdate --install --all    (a newer version of the Command Line Tools)' ;;
      *) printf 'xcode-select --install' ;;
    esac
    return
  fi
  read_distribution
  case " $distribution " in
    *' debian '* | *' ubuntu '*)
      printf '%sapt install %s' "$sudo" "$(tool_package "$1" python3 python3-pip cargo g++ 'g++ libfmt-dev')"
      ;;
    *' fedora '* | *' rhel '*)
      printf '%sdnf install %s' "$sudo" "$(tool_package "$1" python3 python3-pip cargo gcc-c++ 'gcc-c++ fmt-devel')"
      ;;
    *' arch '*) printf '%spacman -S %s' "$sudo" "$(tool_package "$1" python python-pip rust gcc 'gcc fmt')" ;;
    *' suse '*)
      printf '%szypper install %s' "$sudo" "$(tool_package "$1" python3 python3-pip cargo gcc-c++ 'gcc-c++ fmt-devel')"
      ;;
    *) printf 'the package manager of your system (%s)' "$(tool_package "$1" python3 pip cargo g++ 'g++ 13 or fmt')" ;;
  esac
}

# tool_package TOOL PYTHON PIP CARGO C++ FMT
tool_package() {
  case $1 in
    python3) printf '%s' "$2" ;;
    pip) printf '%s' "$3" ;;
    cargo) printf '%s' "$4" ;;
    c++) printf '%s' "$5" ;;
    fmt) printf '%s' "$6" ;;
  esac
}
