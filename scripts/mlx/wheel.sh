# shellcheck shell=bash disable=SC2034,SC2154 # what it sets is read elsewhere
# MLX from its Python wheel: which one, with which hash, and its libraries laid flat into one folder. Sourced.
# Nothing of Python is installed: pip only fetches the file.

# platform  package  sha256 of the wheel  size of mlx.metallib (0: none)
wheels='
macosx_26_0_arm64      mlx-metal    e6abeac9ac5265830c9c1541b6f96e9be37a85c2446763a46ad466c63a3837ab 182351120
macosx_15_0_arm64      mlx-metal    55a369250d220b2cf10213a87a2ac1b1a420608c5b35b1df4e7147ac8e32f121 135842224
macosx_14_0_arm64      mlx-metal    3825fff379dbc107dd3413e564a06caeaa24819910ec49c0439e454c06a1b9b8 135865440
manylinux_2_35_x86_64  mlx-cpu      fc5d31b90fc4f457b2f9614ed45651a567d22a6a11a03d114a90a4e10bdd8878 0
manylinux_2_35_aarch64 mlx-cpu      d0f94625588b51a878786dd51cec5617894ce586cf3c94645ce1b64e24c27c0b 0
manylinux_2_35_x86_64  mlx-cuda-12  35445ead9724855826f310b9085d57137d0a2c5381cc293cb6d86b03bb4feadf 0
manylinux_2_35_aarch64 mlx-cuda-12  c794c697dcd28e00a51ce8813189ece1a8c62559de7cc5e27803cc591f55df05 0
manylinux_2_35_x86_64  mlx-cuda-13  335094ccd1c0c6dc3e09c8caba207c8180602bacc0c38ba20c1d81e9456ab394 0
manylinux_2_35_aarch64 mlx-cuda-13  49b1a25df9021f3b519a534fd39a32a5cdbf93a1b265a31e59671c2d9fc9f4a2 0
'

# Sets package, platform, wheel_sha256, metallib_size, wheel_file. Ends the script where no wheel will run.
choose_wheel() {
  case $system in
    Darwin) choose_platform_of_macos ;;
    Linux) choose_platform_of_linux ;;
    *) die "MLX runs on macOS and Linux, not on $system" ;;
  esac
  local row_platform row_package
  while read -r row_platform row_package wheel_sha256 metallib_size; do
    if [ "$row_platform" = "$platform" ] && [ "$row_package" = "$package" ]; then
      wheel_file=${package//-/_}-$mlx_version-py3-none-$platform.whl
      return
    fi
  done <<TABLE
$wheels
TABLE
  die "there is no MLX $mlx_version for $machine under $system"
}

# The kernels for the matrix units of M5 (NAX) are in the wheel for 26, which needs 26.2 in spite of its name. On a
# system that is too old for its metallib MLX fails at the first use of the GPU, not when it is loaded.
choose_platform_of_macos() {
  [ "$machine" = arm64 ] || die 'MLX needs Apple silicon, and this Mac has an Intel processor'
  [ -z "$variant" ] || die 'CUDA is for Linux; on a Mac leave --cuda out'
  package=mlx-metal
  # Without this an old program that started us would make it 10.16.
  macos=$(SYSTEM_VERSION_COMPAT=0 sw_vers -productVersion)
  local major=${macos%%.*} minor=${macos#*.}
  [ "$minor" != "$macos" ] || minor=0
  minor=${minor%%.*}
  case $major$minor in
    *[!0-9]* | '') die "sw_vers tells no version of macOS but '$macos'" ;;
  esac
  if [ "$major" -gt 26 ] || { [ "$major" -eq 26 ] && [ "$minor" -ge 2 ]; }; then
    platform=macosx_26_0_arm64
  elif [ "$major" -ge 15 ]; then
    platform=macosx_15_0_arm64
  elif [ "$major" -eq 14 ]; then
    platform=macosx_14_0_arm64
  else
    die "MLX needs macOS 14 or newer, and this is $macos"
  fi
}

choose_platform_of_linux() {
  local libc
  libc=$(getconf GNU_LIBC_VERSION 2>/dev/null)
  libc=${libc#glibc }
  case $libc in
    2.3[5-9]* | 2.[4-9][0-9]*) ;;
    *) die "MLX needs glibc 2.35 or newer (Ubuntu 22.04, Debian 12, Fedora 36), and this is ${libc:-another C library}" ;;
  esac
  platform=manylinux_2_35_${machine/arm64/aarch64}
  package=mlx-cpu
  [ -z "$variant" ] || choose_cuda
}

# CUDA 13 needs driver 580, MLX's build for CUDA 12 needs 550 (MLX's docs/src/install.rst).
choose_cuda() {
  local driver
  driver=$(nvidia-smi --query-gpu=driver_version --format=csv,noheader 2>/dev/null | head -n 1)
  case ${driver%%.*} in
    '' | *[!0-9]*) die 'no NVIDIA driver answers (nvidia-smi shows none): install the driver of your GPU, or leave --cuda out' ;;
  esac
  if [ "${driver%%.*}" -ge 580 ]; then
    package=mlx-cuda-13
  elif [ "${driver%%.*}" -ge 550 ]; then
    package=mlx-cuda-12
  else
    die "MLX needs version 550 or newer of the NVIDIA driver, and this is $driver: update the driver, or leave --cuda out"
  fi
}

# Fetches the wheel. Its libraries come to $libraries, its headers to $headers, both below $new: mlx-c is compiled with
# them, and for tests the dry GPU (docs/metal-launches.md).
fetch_wheel() {
  libraries=$new headers=$new/include
  # --python-version: pip takes the wheel for Python 3.10 or newer only; macOS has 3.9, and no Python of it will run.
  # --platform: what was chosen here, not what the Python at hand was built for.
  # TMPDIR: CUDA's wheels are too large for many a /tmp.
  pip=(env "TMPDIR=$work" python3 -m pip --no-input --disable-pip-version-check)
  only=(--only-binary=:all: --python-version 3.12)
  export PIP_REQUIRE_VIRTUALENV=0
  run_step "$program: fetching MLX $mlx_version ($package)" "$work/log" \
    "${pip[@]}" download --no-deps "${only[@]}" --platform "$platform" --dest "$work/wheel" "$package==$mlx_version" || {
    tail -n 10 "$work/log" >&2
    die "pip could not fetch $package $mlx_version; its reasons are above"
  }
  run_step "$program: checking and unpacking" "$work/log" \
    python3 "$home/scripts/mlx/unpack.py" wheel "$work/wheel/$wheel_file" "$wheel_sha256" "$libraries" "$headers" ||
    die "$(tail -n 1 "$work/log")"
  [ "$metallib_size" -eq 0 ] || [ "$(wc -c <"$libraries/mlx.metallib")" -eq "$metallib_size" ] ||
    die "mlx.metallib is not $metallib_size bytes long: is the disk full?"
  [ -z "$variant" ] || fetch_cuda
}

# CUDA's libraries are wheels too. MLX finds them, and headers to compile kernels with, only where pip lays them in
# relation to itself (jit_module.cpp); so here, and only here, the folder is not flat.
fetch_cuda() {
  rm -f "$new"/*.so*
  libraries=$new/mlx/lib headers=$new/mlx/include
  local runtime=() # which the wheel for CUDA 12 does not ask for, although it needs the headers
  [ "$package" != mlx-cuda-12 ] || runtime=('nvidia-cuda-runtime-cu12==12.9.*')
  run_step "$program: fetching CUDA (about 2 GB)" "$work/log" \
    "${pip[@]}" install --no-compile --no-cache-dir "${only[@]}" --target "$new" "$work/wheel/$wheel_file" \
    "${runtime[@]+"${runtime[@]}"}" || {
    tail -n 10 "$work/log" >&2
    die "pip could not fetch the libraries of CUDA; its reasons are above"
  }
}
