# shellcheck shell=bash disable=SC2154
# The source of mlx-c, which has no binary release. Sourced.

mlxc_version=0.7.0
mlxc_commit=a341b4925024b88b2c593468f16e12f5e17315da # the one that the crate names (its README and change log)
# Of the sources alone, whatever they came in: unpack.py tells how it is made.
mlxc_sha256=0348aade69e29d9d4f90195af467be2860257880b9471476a9044a69aa445171

# Puts the folder with mlx/c into $work/mlx-c and sets mlxc_origin.
fetch_source() {
  mlxc_origin=''
  if type -P cargo >/dev/null; then
    mlxc_origin="crate mlx-sys $mlxc_version"
    run_step "$program: fetching mlx-c $mlxc_version" "$work/log" source_from_crate || {
      mlxc_origin=''
      tail -n 10 "$work/log" >&2
      warn 'cargo could not fetch the crate mlx-sys, as it says above'
    }
  fi
  if [ -z "$mlxc_origin" ]; then
    mlxc_origin="commit $mlxc_commit"
    run_step "$program: fetching mlx-c $mlxc_version from its repository" "$work/log" source_from_repository || {
      tail -n 5 "$work/log" >&2
      die "mlx-c $mlxc_version could not be fetched; it comes through cargo ($(tool_command cargo)) or, with curl, from GitHub"
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

# A tag can be moved, and its archive packed anew, a commit's content cannot change.
source_from_repository() {
  cd "$work" &&
    curl -sSfL --retry 2 -o mlx-c.tar.gz "https://github.com/ml-explore/mlx-c/archive/$mlxc_commit.tar.gz" &&
    tar -xzf mlx-c.tar.gz &&
    mv "mlx-c-$mlxc_commit" mlx-c
}
