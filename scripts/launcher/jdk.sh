# shellcheck shell=bash
# Finds a JDK without starting one. Sourced, after system.sh and read_system.
# A JDK is a folder with bin/java, bin/javac and a file `release`, whose version and architecture are read as text.

jdk_minimum=25

# Sets jdk (its folder) and jdk_build (its exact build, a file name); false when there is none. jdk_rejected then
# tells what was found and why it will not do, a line each.
find_jdk() {
  jdk='' jdk_build='' jdk_rejected=''
  if [ -n "${QNEXT_JAVA_HOME:-}" ]; then
    accept_jdk "$QNEXT_JAVA_HOME"
    return
  fi
  if [ -n "${JAVA_HOME:-}" ] && accept_jdk "$JAVA_HOME"; then
    return
  fi
  local java
  if java=$(type -P java) && accept_jdk "$(jdk_of_java "$java")"; then
    return
  fi
  if [ "$system" = Darwin ]; then
    find_jdk_on_macos
  else
    find_jdk_on_linux
  fi
}

find_jdk_on_macos() {
  # The first two are where /usr/libexec/java_home looks. Homebrew's are not registered there.
  accept_first_jdk \
    "$system_root"/Library/Java/JavaVirtualMachines/*/Contents/Home \
    "${HOME:-/-}"/Library/Java/JavaVirtualMachines/*/Contents/Home \
    "$system_root"/opt/homebrew/opt/openjdk@25/libexec/openjdk.jdk/Contents/Home \
    "$system_root"/opt/homebrew/opt/openjdk*/libexec/openjdk.jdk/Contents/Home \
    "$system_root"/usr/local/opt/openjdk@25/libexec/openjdk.jdk/Contents/Home \
    "$system_root"/usr/local/opt/openjdk*/libexec/openjdk.jdk/Contents/Home ||
    find_jdk_of_user
}

find_jdk_on_linux() {
  accept_first_jdk \
    "$system_root"/usr/lib/jvm/* \
    "$system_root"/usr/lib64/jvm/* \
    "$system_root"/usr/java/* \
    "$system_root"/opt/java/* \
    "$system_root"/opt/*jdk* ||
    find_jdk_of_user ||
    accept_first_jdk \
      "${HOMEBREW_PREFIX:-$system_root/home/linuxbrew/.linuxbrew}"/opt/openjdk@25/libexec \
      "${HOMEBREW_PREFIX:-$system_root/home/linuxbrew/.linuxbrew}"/opt/openjdk*/libexec
}

# SDKMAN, IntelliJ and Gradle, asdf, mise.
find_jdk_of_user() {
  local user=${HOME:-/-}
  accept_first_jdk \
    "${SDKMAN_DIR:-$user/.sdkman}"/candidates/java/current \
    "${SDKMAN_DIR:-$user/.sdkman}"/candidates/java/* \
    "$user"/.jdks/* \
    "$user"/.gradle/jdks/* \
    "${ASDF_DATA_DIR:-$user/.asdf}"/installs/java/* \
    "${MISE_DATA_DIR:-${XDG_DATA_HOME:-$user/.local/share}/mise}"/installs/java/*
}

accept_first_jdk() {
  local folder
  for folder in "$@"; do
    accept_jdk "$folder" && return
  done
  return 1
}

# True, with jdk and jdk_build set, when the folder holds a JDK that will do.
accept_jdk() {
  local folder=$1
  [ -f "$folder/release" ] || folder=$1/Contents/Home # a JDK bundle of macOS
  [ -f "$folder/release" ] && [ -x "$folder/bin/java" ] || return 1

  local key value version='' arch='' maker='' build=''
  while IFS='=' read -r key value || [ -n "$key" ]; do
    value=${value#\"} value=${value%\"}
    case $key in
      JAVA_VERSION) version=$value ;;
      JAVA_RUNTIME_VERSION) build=$value ;;
      IMPLEMENTOR) maker=$value ;;
      OS_ARCH) arch=$value ;;
    esac
  done <"$folder/release"
  case $arch in
    aarch64) arch=arm64 ;;
    amd64) arch=x86_64 ;;
  esac

  local feature=${version%%[!0-9]*}
  if [ "${feature:-0}" -lt "$jdk_minimum" ]; then
    reject_jdk "$folder" "Java ${version:-of an unknown version}"
  elif [ -n "$arch" ] && [ "$arch" != "$machine" ]; then
    reject_jdk "$folder" "Java $version for $arch, but this machine is $machine"
  elif [ ! -x "$folder/bin/javac" ]; then
    reject_jdk "$folder" "Java $version without its compiler (a JRE)"
  else
    jdk=$folder
    jdk_build=${build:-$version}-$maker
    jdk_build=${jdk_build//[!A-Za-z0-9.+-]/_}
    return 0
  fi
  return 1
}

reject_jdk() {
  case $jdk_rejected in
    *" $1: "*) return ;; # JAVA_HOME, met again in its usual place
  esac
  jdk_rejected="$jdk_rejected
  $1: $2"
}

# The JDK's folder for an executable `java`, which may be a chain of symbolic links.
jdk_of_java() {
  local java=$1 link
  while [ -L "$java" ]; do
    link=$(readlink "$java")
    case $link in
      /*) java=$link ;;
      *) java=${java%/*}/$link ;;
    esac
  done
  CDPATH='' cd -- "${java%/*}/.." 2>/dev/null && pwd -P
}
