# shellcheck shell=bash disable=SC2154
# The compiler's part: libmlxc. Sourced, after tools.sh.

# Makes libmlxc in $new.
compile_mlxc() {
  options=(-std=c++20 -O2 -fPIC)
  if [ "$system" = Darwin ]; then
    # -arch: a shell under Rosetta would make it Intel's. The minimum: not what a variable of the user's says.
    options+=(-arch arm64 -mmacosx-version-min=14.0)
  fi
  find_format
  run_step "$program: compiling mlx-c $mlxc_version" "$work/log" make_mlxc || {
    tail -n 20 "$work/log" >&2
    die "the C++ compiler ${compiler[*]} could not compile mlx-c; its reasons are above"
  }
}

# Adds to options, for a compiler that lacks std::format (g++ 12), a header that gives it fmt's.
find_format() {
  local uses='#include <string>
std::string number(int n) { return std::format("{}", n); }'
  printf '#include <format>\n%s\n' "$uses" >"$work/format.cpp"
  "${compiler[@]}" "${options[@]}" -c -o "$work/format.o" "$work/format.cpp" >"$work/log" 2>&1 && return

  cat >"$work/format.h" <<'HEADER'
#pragma once
#define FMT_HEADER_ONLY
#include <fmt/format.h>
namespace std {
using fmt::format;
}
HEADER
  options+=(-include "$work/format.h")
  printf '%s\n' "$uses" >"$work/format.cpp"
  "${compiler[@]}" "${options[@]}" -c -o "$work/format.o" "$work/format.cpp" >>"$work/log" 2>&1 && return
  tail -n 5 "$work/log" >&2
  die "${compiler[*]} has no std::format, nor is there the library fmt to replace it; install it with: $(tool_command fmt)"
}

make_mlxc() {
  local cores below=${libraries#"$new"}
  cores=$(getconf _NPROCESSORS_ONLN) || cores=1
  [ "$cores" -le 8 ] || cores=8
  # Where it lies: so the names of files in mlx-c's messages are short.
  cd "$work/mlx-c" || return
  find mlx/c -name '*.cpp' ! -name object.cpp -print0 |
    xargs -0 -n 1 -P "$cores" "${compiler[@]}" "${options[@]}" -I . -I "$headers" -c || return
  if [ "$system" = Darwin ]; then
    "${compiler[@]}" "${options[@]}" -dynamiclib -install_name @rpath/libmlxc.dylib -Wl,-rpath,@loader_path \
      -o "$new/libmlxc.dylib" ./*.o -L "$libraries" -lmlx
  else
    # Old tags: RPATH, unlike RUNPATH, also serves the libraries that libmlx needs; its own points elsewhere.
    "${compiler[@]}" "${options[@]}" -shared -Wl,-soname,libmlxc.so -Wl,--disable-new-dtags \
      "-Wl,-rpath,\$ORIGIN$below" -o "$new/libmlxc.so" ./*.o -L "$libraries" -lmlx
  fi
}
