# shellcheck shell=bash disable=SC2016,SC2034,SC2154 # shares its variables with run and machine.sh
# scripts/install-mlx and scripts/jextract with stand-ins for pip, cargo, curl, compilers and all that only a Mac has.
# The wheel and the sources are tiny ones, whose hashes are written into the copy of the scripts that is tested.

test_install_on_linux() {
  with_mlx Linux x86_64
  start
  expect_installed "$box/home/.cache/qnext/mlx-0.32.2"
  expect_log 'pip .*download --no-deps .*--platform manylinux_2_35_x86_64 .* mlx-cpu==0.32.2'
  expect_log 'c++ .*-shared .*-Wl,--disable-new-dtags -Wl,-rpath,$ORIGIN -o .*/libmlxc.so .* -lmlx'
  expect_files VERSIONS libblas.so.3 libmlx.so libmlxc.so proof
  expect_version 'wheel mlx_cpu-0.32.2-py3-none-manylinux_2_35_x86_64.whl'
  expect_version 'mlx-c 0.7.0 from the crate mlx-sys 0.7.0'
  case $(cat "$box/log") in *object.cpp*) problem 'object.cpp was compiled' ;; esac
}

test_install_on_macos() {
  with_mlx Darwin arm64
  start
  expect_installed "$box/home/Library/Caches/qnext/mlx-0.32.2"
  expect_files VERSIONS libjaccl.dylib libmlx.dylib libmlxc.dylib mlx.metallib proof
  expect_log 'c++ .*-arch arm64 .* -dynamiclib -install_name @rpath/libmlxc.dylib -Wl,-rpath,@loader_path -o .*/libmlxc.dylib'
  local name
  for name in libmlx.dylib libjaccl.dylib libmlxc.dylib proof; do
    expect_log "codesign -v .*/$name"
  done
  case $(cat "$box/log") in *'codesign -f'*) problem 'what has a signature was signed again' ;; esac
  expect_log 'xattr -dr com.apple.quarantine '
}

test_broken_signature_is_made_anew() {
  with_mlx Darwin arm64
  script "$box/bin/codesign" 'echo "codesign $*" >>"$BOX/log"; [ "$1" != -v ]'
  start
  expect_status 0
  expect_log 'codesign -f -s - .*/libmlxc.dylib'
}

test_wheel_by_version_of_macos() {
  local row
  with_mlx Darwin arm64
  environment=(FAKE_WHEEL=none) # the choice is all that matters here
  for row in 14.0:14_0 14.7.1:14_0 15.0:15_0 15.6.1:15_0 15:15_0 26.0:15_0 26.0.1:15_0 26.1:15_0 26.1.2:15_0 \
    26.2:26_0 26.2.1:26_0 26.10:26_0 27.0:26_0; do
    rm -f "$box/log"
    script "$box/bin/sw_vers" "echo ${row%:*}"
    start
    expect_log "pip .* --platform macosx_${row#*:}_arm64 .* mlx-metal==0.32.2"
  done
}

test_macs_that_will_not_do() {
  with_mlx Darwin arm64
  script "$box/bin/sw_vers" 'echo 13.7.2'
  start
  expect_refused 'MLX needs macOS 14 or newer, and this is 13.7.2'
  with_mlx Darwin x86_64
  start
  expect_refused 'MLX needs Apple silicon'
  with_mlx Darwin x86_64
  script "$box/bin/sysctl" 'echo 1' # a shell under Rosetta
  start
  expect_status 0
  with_mlx Darwin arm64
  script "$box/bin/xcode-select" 'exit 2'
  rm "$box/bin/python3" "$box/bin/c++"
  start
  expect_refused 'install them with: xcode-select --install'
}

test_linuxes_that_will_not_do() {
  with_mlx Linux x86_64
  script "$box/bin/getconf" 'echo glibc 2.31'
  start
  expect_refused 'MLX needs glibc 2.35 or newer (Ubuntu 22.04, Debian 12, Fedora 36), and this is 2.31'
  script "$box/bin/getconf" 'exit 1'
  start
  expect_refused 'another C library'
  with_mlx Linux riscv64
  start
  expect_refused 'there is no MLX 0.32.2 for riscv64 under Linux'
  with_mlx Linux aarch64
  start
  expect_status 0
  expect_version 'wheel mlx_cpu-0.32.2-py3-none-manylinux_2_35_aarch64.whl'
  with_mlx FreeBSD amd64
  start
  expect_refused 'MLX runs on macOS and Linux, not on FreeBSD'
}

test_second_run_only_checks() {
  with_mlx Linux x86_64
  start
  rm -f "$box/log"
  start
  expect_installed "$box/home/.cache/qnext/mlx-0.32.2"
  expect_err 'already installed, and it works'
  expect_no_file "$box/log"
  start --force
  expect_installed "$box/home/.cache/qnext/mlx-0.32.2"
  expect_log 'c++ '
}

test_what_no_longer_works_is_replaced() {
  with_mlx Linux x86_64
  start
  script "$box/home/.cache/qnext/mlx-0.32.2/proof" 'exit 1'
  start
  expect_installed "$box/home/.cache/qnext/mlx-0.32.2"
  rm "$box/home/.cache/qnext/mlx-0.32.2/libmlxc.so"
  start
  expect_files VERSIONS libblas.so.3 libmlx.so libmlxc.so proof
  with_mlx Darwin arm64
  script "$box/bin/sw_vers" 'echo 26.1'
  start
  script "$box/bin/sw_vers" 'echo 26.2' # macOS was updated
  start
  expect_version 'wheel mlx_metal-0.32.2-py3-none-macosx_26_0_arm64.whl'
}

test_what_is_missing_is_named() {
  local sudo='sudo '
  [ "$EUID" -eq 0 ] && sudo=''
  with_mlx Linux x86_64
  mkdir -p "$box/root/etc"
  printf 'ID=debian\nVERSION_ID="12"\n' >"$box/root/etc/os-release"
  mv "$box/bin/python3" "$box/away"
  start
  expect_refused "python3 3.9 or newer is missing; install it with: ${sudo}apt install python3"
  script "$box/bin/python3" '[ "$1" = -c ]'
  start
  expect_refused "pip is missing; install it with: ${sudo}apt install python3-pip"
  mv "$box/away" "$box/bin/python3"
  rm "$box/bin/cargo" "$box/bin/curl"
  start
  expect_refused "install one with: ${sudo}apt install cargo"
  printf 'ID=rocky\nID_LIKE="rhel fedora"\n' >"$box/root/etc/os-release"
  start
  expect_refused "install one with: ${sudo}dnf install cargo"
  script "$box/bin/cargo" 'exit 0'
  rm "$box/bin/c++"
  start
  expect_refused "the C++ compiler c++ is missing; install one with: ${sudo}dnf install gcc-c++"
  environment=('CXX=ccache my-c++')
  start
  expect_refused 'the C++ compiler ccache is missing'
  [ -e "$box/home/.cache" ] && problem 'a cache folder was made'
}

test_compiler_without_std_format() {
  with_mlx Linux x86_64
  environment=(FAKE_FORMAT=fmt)
  start
  expect_installed "$box/home/.cache/qnext/mlx-0.32.2"
  expect_log 'c++ .*-include .*/format.h .*array.cpp'
  with_mlx Linux x86_64
  start
  case $(cat "$box/log") in *-include*) problem 'a header was put before the sources although std::format is there' ;; esac
  with_mlx Linux x86_64
  mkdir -p "$box/root/etc"
  printf 'ID=ubuntu\nID_LIKE=debian\n' >"$box/root/etc/os-release"
  environment=(FAKE_FORMAT=none)
  start
  expect_refused 'apt install g++ libfmt-dev'
}

test_sources_without_cargo() {
  with_mlx Darwin arm64
  rm "$box/bin/cargo"
  start
  expect_status 0
  expect_log 'curl .*github.com/ml-explore/mlx-c/archive/[0-9a-f]*.tar.gz'
  expect_version "mlx-c 0.7.0 from the commit $(mlxc_commit)"
  with_mlx Linux x86_64
  script "$box/bin/cargo" 'echo "error: this edition is too new"; exit 101'
  start
  expect_status 0
  expect_version "mlx-c 0.7.0 from the commit $(mlxc_commit)"
  script "$box/bin/curl" 'echo "curl: (6) Could not resolve host"; exit 6'
  start --force
  expect_status 1
  expect_err 'error: this edition is too new'
  expect_err 'curl: (6) Could not resolve host'
  expect_err 'mlx-c 0.7.0 could not be fetched'
  expect_files VERSIONS libblas.so.3 libmlx.so libmlxc.so proof # the one before
}

test_downloads_that_are_not_what_they_should_be() {
  with_mlx Linux x86_64
  environment=(FAKE_WHEEL=changed)
  start
  expect_refused 'has the SHA-256'
  environment=(FAKE_WHEEL=none)
  start
  expect_refused 'pip could not fetch mlx-cpu 0.32.2'
  expect_err 'ERROR: No matching distribution'
  environment=(FAKE_SOURCE=changed)
  start
  expect_refused 'the sources of mlx-c have the hash'
  with_mlx Darwin arm64
  environment=(FAKE_SOURCE=changed)
  rm "$box/bin/cargo"
  start
  expect_refused 'the sources of mlx-c have the hash'
  with_mlx Darwin arm64
  environment=(FAKE_WHEEL=changed)
  start
  expect_refused 'has the SHA-256'
}

test_failures_leave_the_one_before() {
  with_mlx Linux x86_64
  environment=(FAKE_COMPILER=fails)
  start
  expect_refused 'could not compile mlx-c'
  expect_err 'array.cpp: error'
  environment=(FAKE_PROOF=1)
  start
  expect_refused 'the libraries were made but do not work: no good'
  environment=(A=b)
  start
  expect_status 0
  environment=(FAKE_PROOF=1)
  start --force
  expect_status 1
  expect_no_leftovers
  environment=(A=b)
  start
  expect_err 'already installed, and it works'
}

test_interrupted_installation() {
  local signal begin
  with_mlx Linux x86_64
  environment=(A=b)
  start
  for signal in INT TERM HUP KILL; do
    [ -z "$(bash -c "kill -$signal \$\$; echo ignored" 2>/dev/null)" ] || continue # as in build-test.sh
    rm -f "$box/compiles"
    environment=(FAKE_COMPILER=sleeps)
    start_in_background --force
    wait_until test -e "$box/compiles"
    begin=$SECONDS
    kill "-$signal" "$started"
    wait "$started" 2>/dev/null
    status=$?
    [ "$((SECONDS - begin))" -lt 20 ] || problem "it waited for the compiler after $signal"
    case $signal-$status in
      INT-130 | TERM-143 | HUP-129)
        expect_no_leftovers
        wait_until eval '! kill -0 "$(cat "$box/compiles")"' # the compiler was stopped too
        ;;
      KILL-137) kill -KILL "$(cat "$box/compiles")" ;;
      *) problem "exit code $status after $signal" ;;
    esac
    environment=(A=b)
    start
    expect_err 'already installed, and it works'
  done
  start --force # clears away what the kill has left
  expect_status 0
  expect_no_leftovers
}

test_two_installations_at_once() {
  with_mlx Linux x86_64
  environment=(FAKE_COMPILER=slow)
  start_in_background
  wait_until test -e "$box/compiles"
  start
  wait "$started" || problem "the first one failed: $(cat "$box/err0")"
  expect_installed "$box/home/.cache/qnext/mlx-0.32.2"
  expect_err 'waiting for another install-mlx'
  expect_err 'installed by another run'
  [ "$(grep -c 'pip .*download' "$box/log")" -eq 1 ] || problem 'both of them downloaded'
}

test_cache_that_cannot_be_written() {
  with_mlx Linux x86_64
  script "$box/bin/python3" 'exit 0' # it will not come to that
  mkdir -p "$box/home/.cache/qnext"
  read_only "$box/home/.cache" || return
  start
  expect_refused "$box/home/.cache/qnext cannot be written"
  as_user=()
  environment=(XDG_CACHE_HOME=/dev/null)
  start
  expect_refused '/dev/null/qnext cannot be written'
  (cd / && env -i "PATH=$box/bin" "BOX=$box" "QNEXT_SYSTEM_ROOT=$box/root" "$launcher") >"$box/out" 2>"$box/err"
  [ $? -eq 1 ] || problem 'it went on without HOME'
  err=$(cat "$box/err")
  expect_err 'set HOME or XDG_CACHE_HOME'
}

test_too_small_a_disk() {
  with_mlx Linux x86_64
  script "$box/bin/df" 'echo "Filesystem 1024-blocks Used Available Capacity Mounted"; echo "/dev/x 999999 1 102400 99% /"'
  start
  expect_refused "100 MB are free on the disk of $box/home/.cache/qnext, and 150 MB are needed"
  script "$box/bin/df" 'echo "Filesystem 1024-blocks Used Available Capacity Mounted"; echo "/dev/x 999999 1 204800 99% /"'
  start
  expect_status 0
  with_mlx Darwin arm64
  script "$box/bin/df" 'echo "Filesystem 1024-blocks Used Available Capacity Mounted"; echo "/dev/x 999999 1 204800 99% /"'
  start
  expect_refused 'and 500 MB are needed'
}

test_cuda() {
  with_mlx Linux x86_64
  start --cuda
  expect_refused 'no NVIDIA driver answers'
  script "$box/bin/nvidia-smi" 'echo 535.183.01'
  start --cuda
  expect_refused 'MLX needs version 550 or newer of the NVIDIA driver, and this is 535.183.01'
  script "$box/bin/nvidia-smi" 'echo 570.86.15'
  start --cuda
  expect_refused 'MLX finds no GPU that it can use'
  environment=(FAKE_PROOF=cuda)
  start --cuda
  expect_status 0
  expect_version 'wheel mlx_cuda_12-0.32.2-py3-none-manylinux_2_35_x86_64.whl'
  expect_log 'pip .*install .* nvidia-cuda-runtime-cu12==12.9'
  script "$box/bin/nvidia-smi" 'echo 580.65.06; echo 580.65.06'
  start --cuda
  expect_status 0
  expect_version 'wheel mlx_cuda_13-0.32.2-py3-none-manylinux_2_35_x86_64.whl'
  expect_log 'c++ .*-Wl,-rpath,$ORIGIN/mlx/lib '
  expect_files VERSIONS libmlxc.so mlx proof
  start # what is there stays
  expect_err 'already installed, and it works'
  start --force
  expect_version 'wheel mlx_cpu-0.32.2-py3-none-manylinux_2_35_x86_64.whl'
  with_mlx Darwin arm64
  start --cuda
  expect_refused 'CUDA is for Linux'
}

test_wrong_usage_of_install_mlx() {
  with_mlx Linux x86_64
  start --gpu
  expect_status 2
  expect_err 'usage: scripts/install-mlx'
}

test_versions_agree() {
  local java=$repository/native-bindings/src/main/java/dev/qnext/mlx/face/MlxLibrary.java
  grep -q 'VERSION = "0.32.2"' "$java" || problem "$java names another version"
  grep -q '^mlx_version=0.32.2$' "$repository/scripts/launcher/system.sh" || problem 'system.sh names another version'
}

test_jextract() {
  with_mlx Linux x86_64
  local capi=$repo/native-bindings/src/main/java/dev/qnext/mlx/capi
  mkdir -p "$capi"
  touch "$capi/old.java"
  launcher=$repo/scripts/jextract
  start
  expect_refused 'jextract is missing'
  script "$box/bin/jextract" 'echo "jextract $*" >>"$BOX/log"
    for a; do [ -z "${take:-}" ] || output=$a; take=; [ "$a" != --output ] || take=yes; done
    [ -f "$a" ] || exit 1 # the header
    mkdir -p "$output/dev/qnext/mlx/capi"
    touch "$output/dev/qnext/mlx/capi/mlx_c.java"'
  start
  expect_status 0
  expect_log 'jextract -D MLX_HALF_H .*--target-package dev.qnext.mlx.capi --header-class-name mlx_c @.*/jextract-includes.txt .*/mlx/c/mlx.h'
  [ "$(ls "$capi")" = mlx_c.java ] || problem "in the package: $(ls "$capi")"
  environment=(JEXTRACT=/nowhere/jextract)
  start
  expect_refused '/nowhere/jextract is missing'
  environment=(A=b)
  script "$box/bin/jextract" 'echo "error: unknown type"; exit 1'
  start
  expect_status 1
  expect_err 'error: unknown type'
  [ "$(ls "$capi")" = mlx_c.java ] || problem "in the package: $(ls "$capi")"
}
