# shellcheck shell=bash disable=SC2154
# The source of mlx-c, which has no binary release. Sourced.

mlxc_version=0.7.0
# Of the sources alone, whatever they came in: unpack.py tells how it is made.
mlxc_sha256=0348aade69e29d9d4f90195af467be2860257880b9471476a9044a69aa445171

# Puts the folder with mlx/c into $work/mlx-c and sets mlxc_origin.
fetch_source() {
  mlxc_origin="crate mlx-sys $mlxc_version"
  if ! { type -P cargo >/dev/null && run_step "$program: fetching mlx-c $mlxc_version" "$work/log" source_from_crate; }; then
    [ ! -f "$work/crate/Cargo.toml" ] || tail -n 10 "$work/log" >&2
    mlxc_origin="tag v$mlxc_version"
    run_step "$program: fetching mlx-c $mlxc_version from its repository" "$work/log" source_from_tag || {
      tail -n 5 "$work/log" >&2
      die "mlx-c $mlxc_version could not be fetched; with cargo it comes from the crate mlx-sys: $(tool_command cargo)"
    }
  fi
  run_step "$program: checking mlx-c" "$work/log" \
    python3 "$home/scripts/mlx/unpack.py" source "$work/mlx-c" "$mlxc_sha256" || die "$(tail -n 1 "$work/log")"
}

# cargo works in a project, so it gets one. It fetches some crates more, which are not used, and compiles none.
source_from_crate() {
  mkdir -p "$work/crate/src" && cd "$work/crate" || return
  printf '[package]\nname = "sources"\nversion = "0.0.0"\nedition = "2021"\n[dependencies]\nmlx-sys = "=%s"\n' \
    "$mlxc_version" >Cargo.toml
  touch src/lib.rs
  cargo vendor vendor && mv vendor/mlx-sys/src/mlx-c "$work/mlx-c"
}

source_from_tag() {
  cd "$work" &&
    curl -fL --retry 3 -o mlx-c.tar.gz "https://github.com/ml-explore/mlx-c/archive/refs/tags/v$mlxc_version.tar.gz" &&
    tar -xzf mlx-c.tar.gz &&
    mv "mlx-c-$mlxc_version" mlx-c
}
