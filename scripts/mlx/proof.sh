# shellcheck shell=bash disable=SC2154
# The proof that a folder of libraries works here, and what is written down about it. Sourced, after compile.sh.

# True when the program that lies beside the libraries can load them and multiply. Sets proof, its one line.
prove() { # FOLDER
  local library
  for library in "$1"/libmlxc.*; do
    # An empty environment and another folder: nothing but the library's own paths may help it to find the rest.
    proof=$(cd / && env -i "$1/proof" "$library" "$mlx_version" 2>&1) || return
  done
}

install_proof() {
  "${compiler[@]}" "${options[@]}" -I "$work/mlx-c" -o "$new/proof" "$home/scripts/mlx/proof.cpp" -ldl \
    >"$work/log" 2>&1 || {
    tail -n 20 "$work/log" >&2
    die "the C++ compiler ${compiler[*]} could not compile scripts/mlx/proof.cpp; its reasons are above"
  }
  prove "$new" || die "the libraries were made but do not work: $proof"
}

# What lies here and where it came from; the last line is what the proof said.
write_versions() {
  {
    printf 'mlx %s\n' "$mlx_version"
    printf 'wheel %s\n' "$wheel_file"
    printf 'mlx-c %s from the %s\n' "$mlxc_version" "$mlxc_origin"
    printf 'compiler %s\n' "$("${compiler[@]}" --version 2>/dev/null | head -n 1)"
    printf '%s\n' "$proof"
  } >"$new/VERSIONS" || die "$new cannot be written: is the disk full?"
}
