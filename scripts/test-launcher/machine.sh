# shellcheck shell=bash disable=SC2034
# A machine made of files, and what can be asked of a start on it. Sourced by run.
#
#   $box/bin        the whole PATH          $box/root   stands before absolute paths (QNEXT_SYSTEM_ROOT)
#   $box/home       HOME                    $box/the repo   a repository with the real launcher and no real sources
#   $box/log        what the fake java and mvn noted down, a line each
# A test changes environment=(NAME=VALUE ...) and cwd, calls `start`, and checks out, err and status.

box=$work/box

new_machine() { # SYSTEM MACHINE
  chmod -R u+w "$box" 2>/dev/null
  rm -rf "$box"
  mkdir -p "$box/bin" "$box/root" "$box/home" "$box/tmp" "$box/elsewhere"
  repo=$box/the\ repo
  mkdir -p "$repo/scripts" "$repo/.mvn" "$repo/cli/src/main/java" "$repo/engine/src/main/java"
  cp -R "$repository/scripts/qnext" "$repository/scripts/launcher" "$repo/scripts/"
  touch "$repo/pom.xml" "$repo/cli/pom.xml" "$repo/cli/src/main/java/Main.java" "$repo/engine/src/main/java/A.java"

  local tool
  for tool in cat cp date dirname env find mkdir mv nice readlink rm rmdir sleep tail touch; do
    ln -s "$(type -P "$tool")" "$box/bin/$tool"
  done
  ln -s "${QNEXT_TEST_BASH:-$(type -P bash)}" "$box/bin/bash"
  script "$box/bin/uname" "echo '$1 $2'"
  script "$box/bin/mvn" "$fake_maven"

  launcher=$repo/scripts/qnext
  cwd=$box/elsewhere
  environment=(QNEXT_AOT=off)
  as_user=()
}

script() { # FILE TEXT
  printf '#!/usr/bin/env bash\n%s\n' "$2" >"$1"
  chmod 755 "$1"
}

# shellcheck disable=SC2016 # for the fake's own shell
fake_java='
case "$*" in
  *-XX:AOTCacheOutput=*)
    echo "settings of training in ${XDG_CONFIG_HOME:-}" >>"$BOX/log"
    echo "train $*" >>"$BOX/log"
    [ -z "${FAKE_TRAINING_FAILS:-}" ] || exit 1
    for a; do case $a in -XX:AOTCacheOutput=*) echo cache >"${a#*=}" ;; esac; done
    exit ;;
esac
echo "java $0" >>"$BOX/log"
echo "java=$0"
echo "pid=$$"
echo "cwd=$PWD"
echo "LC_ALL=${LC_ALL:-}"
echo "MLX=${MLX_MAX_MB_PER_BUFFER:-} ${MLX_MAX_OPS_PER_BUFFER:-}"
for a; do echo "arg=$a"; done
[ -z "${FAKE_READS:-}" ] || { echo "stdin=$(cat)"; }
[ -z "${FAKE_SLEEP:-}" ] || { touch "$BOX/java-runs"; exec sleep "$FAKE_SLEEP"; }
case "${FAKE_MAN_FAILS:-} $*" in yes*\ man) exit 1 ;; esac
exit "${FAKE_STATUS:-0}"'

# shellcheck disable=SC2016
fake_maven='
echo "mvn $JAVA_HOME: $*" >>"$BOX/log"
mkdir "$BOX/maven-runs" 2>/dev/null || echo "overlap" >>"$BOX/log"
cat >>"$BOX/maven-stdin"
echo "noise on standard output"
[ -z "${FAKE_MAVEN_SLEEP:-}" ] || sleep "$FAKE_MAVEN_SLEEP"
mkdir -p cli/target/lib
echo "$$" >cli/target/qnext.jar
touch cli/target/lib/b.jar cli/target/lib/a.jar
rmdir "$BOX/maven-runs"
[ -z "${FAKE_MAVEN_FAILS:-}" ] || echo "[ERROR] COMPILATION ERROR"
exit "${FAKE_MAVEN_FAILS:-0}"'

add_jdk() { # FOLDER VERSION [ARCHITECTURE]
  mkdir -p "$1/bin"
  printf 'IMPLEMENTOR="Stub & Sons"\nJAVA_RUNTIME_VERSION="%s+9-LTS"\nJAVA_VERSION="%s"\nMODULES="java.base java.xml"\nOS_ARCH="%s"\n' \
    "$2" "$2" "${3:-x86_64}" >"$1/release"
  script "$1/bin/java" "$fake_java"
  script "$1/bin/javac" 'exit 1'
}

# Starts the launcher with nothing in its environment but what the test put there.
start() {
  (cd "$cwd" && exec "${as_user[@]+"${as_user[@]}"}" env -i "PATH=$box/bin" "HOME=$box/home" "BOX=$box" \
    "QNEXT_SYSTEM_ROOT=$box/root" "${environment[@]}" "$launcher" ${1+"$@"}) >"$box/out" 2>"$box/err"
  status=$?
  out=$(cat "$box/out")
  err=$(cat "$box/err")
}

# The same in the background; sets started.
start_in_background() {
  set -m # or the signals that a terminal sends would be ignored
  (cd "$cwd" && exec env -i "PATH=$box/bin" "HOME=$box/home" "BOX=$box" \
    "QNEXT_SYSTEM_ROOT=$box/root" "${environment[@]}" "$launcher" ${1+"$@"}) >"$box/out$#" 2>"$box/err$#" &
  started=$!
  set +m
}

problem() {
  problems="$problems
    $1"
}

expect_status() { [ "$status" -eq "$1" ] || problem "exit code $status, not $1; standard error: $err"; }
expect_out() { has_line "$out" "$1" || problem "no line '$1' in standard output: $out $err"; }
expect_no_out() { [ -z "$out" ] || problem "standard output should be empty: $out"; }
expect_err() { case $err in *"$1"*) ;; *) problem "no '$1' in standard error: $err" ;; esac; }
expect_no_err() { [ -z "$err" ] || problem "standard error should be empty: $err"; }
expect_java() { expect_out "java=$1/bin/java"; }
expect_builds() {
  local builds
  builds=$(grep -c '^mvn ' "$box/log" 2>/dev/null)
  [ "${builds:-0}" -eq "$1" ] || problem "${builds:-0} builds, not $1"
}
expect_no_file() { [ ! -e "$1" ] || problem "$1 should not exist"; }

has_line() { # TEXT LINE
  case "
$1
" in *"
$2
"*) return 0 ;; esac
  return 1
}

# Waits until the command is true, twenty seconds at most.
wait_until() {
  local tries=0
  until "$@" >/dev/null 2>&1; do
    tries=$((tries + 1))
    [ "$tries" -le 200 ] || {
      problem "waited in vain for: $*"
      return 1
    }
    sleep 0.1
  done
}
