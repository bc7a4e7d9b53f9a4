# shellcheck shell=bash disable=SC2010,SC2012,SC2016,SC2034,SC2154
# A machine for install-mlx: stand-ins for pip, cargo, curl, the C++ compiler and what only a Mac has. Sourced by run,
# after machine.sh. FAKE_WHEEL, FAKE_SOURCE, FAKE_FORMAT, FAKE_COMPILER and FAKE_PROOF make them fail.

with_mlx() { # SYSTEM MACHINE
  type -P python3 >/dev/null || {
    skip_reason='python3 is missing'
    return
  }
  new_machine "$1" "$2"
  cp -R "$repository/scripts/install-mlx" "$repository/scripts/jextract" "$repository/scripts/mlx" "$repo/scripts/"
  launcher=$repo/scripts/install-mlx
  environment=(A=b)
  local tool
  for tool in chmod grep gzip head ls mktemp tar tr wc xargs; do
    ln -s "$(type -P "$tool")" "$box/bin/$tool"
  done
  printf '#!/bin/sh\nexec "%s" "$@"\n' "$(python3 -c 'import sys; print(sys.executable)')" >"$box/python"
  chmod 755 "$box/python"
  script "$box/bin/python3" "$fake_python"
  script "$box/bin/cargo" "$fake_cargo"
  script "$box/bin/curl" "$fake_curl"
  script "$box/bin/c++" "$fake_compiler"
  script "$box/bin/getconf" '[ "$1" = GNU_LIBC_VERSION ] && echo glibc 2.36 || echo 2'
  if [ "$1" = Darwin ]; then
    script "$box/bin/sysctl" 'exit 1'
    script "$box/bin/sw_vers" '[ "$SYSTEM_VERSION_COMPAT" = 0 ] && echo 26.4.1 || echo 10.16'
    script "$box/bin/xcode-select" 'echo /Library/Developer/CommandLineTools'
    script "$box/bin/codesign" 'echo "codesign $*" >>"$BOX/log"'
    script "$box/bin/xattr" 'echo "xattr $*" >>"$BOX/log"'
  fi
  make_downloads
}

# What pip, cargo and curl bring, with its hashes in the copies of the scripts.
make_downloads() {
  if [ ! -d "$work/downloads" ]; then
    mkdir -p "$work/downloads/mlx-c-0.7.0/mlx/c"
    touch "$work/downloads/mlx-c-0.7.0/mlx/c/"{array.cpp,object.cpp,ops.cpp,mlx.h}
    python3 -c "$make_wheels" "$work/downloads"
  fi
  local metal cpu cuda source
  metal=$(cat "$work/downloads/metal.sha256") cpu=$(cat "$work/downloads/cpu.sha256")
  cuda=$(cat "$work/downloads/cuda.sha256")
  source=$(python3 "$repository/scripts/mlx/unpack.py" hash "$work/downloads/mlx-c-0.7.0")
  sed -e "s/mlx-metal  *[0-9a-f]* [0-9]*/mlx-metal $metal 9/" -e "s/mlx-cpu  *[0-9a-f]*/mlx-cpu $cpu/" \
    -e "s/\(mlx-cuda-1[23]\)  *[0-9a-f]*/\1 $cuda/" "$repository/scripts/mlx/wheel.sh" >"$repo/scripts/mlx/wheel.sh"
  sed -e "s/^mlxc_sha256=.*/mlxc_sha256=$source/" "$repository/scripts/mlx/source.sh" >"$repo/scripts/mlx/source.sh"
  ln -s "$work/downloads" "$box/downloads"
}

make_wheels='
import hashlib, pathlib, sys, zipfile
common = {"mlx/include/mlx/mlx.h": "", "mlx/share/x.cmake": "", "mlx/lib/cmake/jaccl.cmake": ""}
kinds = {
    "metal": {"mlx/lib/libmlx.dylib": "", "mlx/lib/libjaccl.dylib": "", "mlx/lib/mlx.metallib": "nine byte"},
    "cpu": {"mlx/lib/libmlx.so": "", "mlx_cpu.libs/libblas.so.3": ""},
    "cuda": {"mlx/lib/libmlx.so": "", "mlx_cuda.libs/libblas.so.3": ""},
}
for kind, files in kinds.items():
    wheel = pathlib.Path(sys.argv[1], kind + ".whl")
    with zipfile.ZipFile(wheel, "w") as archive:
        for name, text in {**common, **files}.items():
            archive.writestr(zipfile.ZipInfo(name), text)
    wheel.with_suffix(".sha256").write_text(hashlib.sha256(wheel.read_bytes()).hexdigest())'

fake_python='
[ "$1 ${2:-}" = "-m pip" ] || exec "$BOX/python" "$@"
[ "$*" != "-m pip --version" ] || exit 0
echo "pip $*" >>"$BOX/log"
for a; do
  [ "${take:-}" != --dest ] || dest=$a
  [ "${take:-}" != --platform ] || platform=$a
  [ "${take:-}" != --target ] || target=$a
  take=$a
done
if [ -n "${target:-}" ]; then
  mkdir -p "$target/mlx/lib" "$target/mlx/include"
  touch "$target/mlx/lib/libmlx.so"
  exit
fi
[ "${FAKE_WHEEL:-}" != none ] || { echo "ERROR: No matching distribution"; exit 1; }
mkdir -p "$dest"
package=${a%%==*}
kind=${package#mlx-}
wheel=$dest/${package//-/_}-0.32.2-py3-none-$platform.whl
cp "$BOX/downloads/${kind%-1[23]}.whl" "$wheel"
[ "${FAKE_WHEEL:-}" != changed ] || echo more >>"$wheel"'

fake_cargo='
echo "cargo $*" >>"$BOX/log"
grep -q "mlx-sys = \"=0.7.0\"" Cargo.toml || exit 101
mkdir -p vendor/mlx-sys/src
cp -R "$BOX/downloads/mlx-c-0.7.0" vendor/mlx-sys/src/mlx-c
[ "${FAKE_SOURCE:-}" != changed ] || echo "int x;" >>vendor/mlx-sys/src/mlx-c/mlx/c/ops.cpp'

fake_curl='
echo "curl $*" >>"$BOX/log"
for a; do
  [ "${take:-}" != -o ] || output=$a
  take=$a
done
name=${a##*/}
name=mlx-c-${name%.tar.gz}
cp -R "$BOX/downloads/mlx-c-0.7.0" "$name"
[ "${FAKE_SOURCE:-}" != changed ] || echo "int x;" >>"$name/mlx/c/ops.cpp"
tar -czf "$output" "$name"
rm -r "$name"'

fake_compiler='
[ "$1" != --version ] || { echo "Stub C++ 1.0"; exit; }
echo "c++ $*" >>"$BOX/log"
for a; do
  [ "${take:-}" != -o ] || output=$a
  case $a in *.cpp) input=$a ;; -include) shim=yes ;; esac
  take=$a
done
case ${input:-link} in
  */format.cpp)
    case ${FAKE_FORMAT:-std}-${shim:-} in std-* | fmt-yes) ;; *) exit 1 ;; esac ;;
  *.cpp)
    case ${FAKE_COMPILER:-} in
      fails) echo "$input: error"; exit 1 ;;
      sleeps) echo $$ >"$BOX/compiles"; exec sleep 30 ;;
      slow) echo $$ >"$BOX/compiles"; sleep 1 ;;
    esac ;;
esac
name=${input##*/}
output=${output:-${name%.cpp}.o}
case $input in
  */proof.cpp)
    case ${FAKE_PROOF:-0} in
      0) text="[ -f \"\$1\" ] && echo all is right" ;;
      1) text="echo no good; exit 1" ;;
      cuda) text="echo all is right on the GPU \(CUDA\)" ;;
    esac
    # Its environment is empty, so without a path.
    printf "#!/bin/sh\n%s\n" "$text" >"$output"
    chmod 755 "$output" ;;
  *) echo code >"$output" ;;
esac'

expect_installed() { # FOLDER
  expect_status 0
  [ "$out" = "$1" ] || problem "standard output should be the folder $1: $out"
  mlx_folder=$1
  expect_no_leftovers
}

expect_refused() { # MESSAGE
  expect_status 1
  expect_no_out
  expect_err "${launcher##*/}: "
  expect_err "$1"
  expect_no_leftovers
}

# Nothing beside the folder of MLX.
expect_no_leftovers() {
  local left
  left=$(ls -A "$box"/home/.cache/qnext "$box"/home/Library/Caches/qnext 2>/dev/null | grep -v -e '^mlx-0.32.2$' -e ':$' -e '^$')
  [ -z "$left" ] || problem "left behind: $left"
}

expect_files() { # NAME...
  local names
  names=$(ls "$(find_mlx)" | tr '\n' ' ')
  [ "$names" = "$* " ] || problem "in the folder: $names, not $*"
}

expect_version() { # LINE
  has_line "$(cat "$(find_mlx)/VERSIONS")" "$1" || problem "no '$1' in VERSIONS: $(cat "$(find_mlx)/VERSIONS") $err"
}

mlxc_commit() {
  sed -n 's/^mlxc_commit=\([0-9a-f]*\).*/\1/p' "$repository/scripts/mlx/source.sh"
}

find_mlx() {
  local folder
  for folder in "$box"/home/.cache/qnext/mlx-0.32.2 "$box"/home/Library/Caches/qnext/mlx-0.32.2; do
    [ ! -d "$folder" ] || printf '%s' "$folder"
  done
}

expect_log() { # PATTERN
  grep -q -e "^$1" "$box/log" || problem "no '$1' in the log: $(cat "$box/log")"
}
