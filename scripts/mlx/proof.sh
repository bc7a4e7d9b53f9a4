# shellcheck shell=bash disable=SC2154
# The proof that a folder of libraries works here, and what is written down about it. Sourced, after compile.sh.

# True when the program that lies beside the libraries can load them and multiply. Sets proof, its one line.
prove() { # FOLDER
  local library=$1/libmlxc.so
  [ "$system" != Darwin ] || library=$1/libmlxc.dylib
  # An empty environment and another folder: nothing but the library's own paths may help it to find the rest.
  proof=$(cd / && env -i "$1/proof" "$library" "$mlx_version" 2>&1)
}

install_proof() {
  "${compiler[@]}" "${options[@]}" -I "$work/mlx-c" -o "$new/proof" "$home/scripts/mlx/proof.cpp" -ldl \
    >"$work/log" 2>&1 || {
    tail -n 20 "$work/log" >&2
    die "the C++ compiler ${compiler[*]} could not compile scripts/mlx/proof.cpp; its reasons are above"
  }
  [ "$system" != Darwin ] || check_signatures
  prove "$new" || die "the libraries were made but do not work: ${proof:-the program that tries them crashed}"
  case $variant-$proof in
    cuda-*CUDA*) ;;
    cuda-*) die "the libraries were made, but MLX finds no GPU that it can use: see what nvidia-smi says, or leave --cuda out" ;;
  esac
}

# macOS on Apple silicon runs nothing that is not signed; the linkers have signed it, for themselves only (ad hoc).
check_signatures() {
  local file
  xattr -dr com.apple.quarantine "$new" 2>/dev/null
  for file in "$new"/*.dylib "$new/proof"; do
    codesign -v "$file" 2>/dev/null || codesign -f -s - "$file" >"$work/log" 2>&1 ||
      die "$file cannot be signed: $(tail -n 1 "$work/log")"
  done
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
