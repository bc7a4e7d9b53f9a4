# shellcheck shell=bash disable=SC2016,SC2034,SC2154 # shares its variables with run and machine.sh
# Which JDK is taken, and what is said when there is none.

# Each place is added before the ones that were there; the new one must win.
test_order_of_places_on_linux() {
  local root=$box/root home=$box/home place
  for place in \
    "$root/home/linuxbrew/.linuxbrew/opt/openjdk@25/libexec" \
    "$home/.local/share/mise/installs/java/temurin-25" \
    "$home/.asdf/installs/java/temurin-25.0.1" \
    "$home/.jdks/temurin-25" \
    "$home/.sdkman/candidates/java/25.0.1-tem" \
    "$home/.sdkman/candidates/java/current" \
    "$root/opt/java/openjdk" \
    "$root/usr/lib/jvm/temurin-25-jdk-amd64"; do
    add_jdk "$place" 25.0.1
    start
    expect_java "$place"
  done

  add_jdk "$box/on-path" 26
  ln -s "$box/on-path/bin/java" "$box/bin/java"
  start
  expect_java "$box/on-path"

  add_jdk "$box/java home" 25
  environment=(QNEXT_AOT=off "JAVA_HOME=$box/java home")
  start
  expect_java "$box/java home"

  add_jdk "$box/own" 27
  environment=(QNEXT_AOT=off "JAVA_HOME=$box/java home" "QNEXT_JAVA_HOME=$box/own")
  start
  expect_java "$box/own"
  expect_status 0
}

test_order_of_places_on_macos() {
  on_mac arm64
  local root=$box/root home=$box/home place
  for place in \
    "$home/.sdkman/candidates/java/current" \
    "$root/opt/homebrew/opt/openjdk/libexec/openjdk.jdk/Contents/Home" \
    "$root/opt/homebrew/opt/openjdk@25/libexec/openjdk.jdk/Contents/Home" \
    "$home/Library/Java/JavaVirtualMachines/temurin-25.jdk/Contents/Home" \
    "$root/Library/Java/JavaVirtualMachines/temurin-25.jdk/Contents/Home"; do
    add_jdk "$place" 25.0.1 aarch64
    start
    expect_java "$place"
  done
}

test_java_home_of_a_bundle() {
  on_mac arm64
  add_jdk "$box/temurin-25.jdk/Contents/Home" 25 aarch64
  environment=(QNEXT_AOT=off "JAVA_HOME=$box/temurin-25.jdk")
  start
  expect_java "$box/temurin-25.jdk/Contents/Home"
}

test_stub_of_macos_is_not_trusted() {
  on_mac arm64
  script "$box/bin/java" 'echo "Unable to locate a Java Runtime"; exit 1'
  add_jdk "$box/root/opt/homebrew/opt/openjdk@25/libexec/openjdk.jdk/Contents/Home" 25 aarch64
  start
  expect_java "$box/root/opt/homebrew/opt/openjdk@25/libexec/openjdk.jdk/Contents/Home"
}

test_intel_jdk_is_refused_on_apple_silicon() {
  local intel=$box/root/Library/Java/JavaVirtualMachines/temurin-25.jdk/Contents/Home
  on_mac arm64
  add_jdk "$intel" 25.0.3 x86_64
  start
  expect_status 1
  expect_err "$intel: Java 25.0.3 for x86_64, but this machine is arm64"
  expect_err 'brew install openjdk@25'

  on_mac x86_64 "[ \"\$2\" = hw.optional.arm64 ] && echo 1" # a shell under Rosetta
  add_jdk "$intel" 25.0.3 x86_64
  start
  expect_status 1
  expect_err 'but this machine is arm64'

  on_mac x86_64 'exit 1' # an Intel Mac knows no hw.optional.arm64
  add_jdk "$intel" 25.0.3 x86_64
  start
  expect_java "$intel"
}

test_chain_of_links_on_path() {
  add_jdk "$box/jdk 25" 25
  mkdir -p "$box/alternatives"
  ln -s "../jdk 25/bin/java" "$box/alternatives/java"
  ln -s "$box/alternatives/java" "$box/bin/java"
  start
  expect_java "$box/jdk 25"
}

test_old_java_home_and_path_are_passed_over() {
  local old=$box/root/usr/lib/jvm/java-17-openjdk-amd64
  add_jdk "$old" 17.0.15
  add_jdk "$box/root/usr/lib/jvm/temurin-25-jdk-amd64" 25.0.3
  ln -s "$old/bin/java" "$box/bin/java"
  environment=(QNEXT_AOT=off "JAVA_HOME=$old")
  start
  expect_java "$box/root/usr/lib/jvm/temurin-25-jdk-amd64"
}

test_no_jdk_starts_to_tell_its_version() {
  add_jdk "$box/root/usr/lib/jvm/a-17" 17.0.15
  add_jdk "$box/root/usr/lib/jvm/b-8" 1.8.0_392
  add_jdk "$box/root/usr/lib/jvm/c-25" 25
  start
  expect_java "$box/root/usr/lib/jvm/c-25"
  [ "$(grep -c '^java ' "$box/log")" -eq 1 ] || problem "more than one java was started: $(cat "$box/log")"
}

test_only_old_jdks() {
  add_jdk "$box/root/usr/lib/jvm/java-17" 17.0.15
  add_jdk "$box/root/usr/lib/jvm/java-8" 1.8.0_392
  environment=(QNEXT_AOT=off "JAVA_HOME=$box/root/usr/lib/jvm/java-17")
  start
  expect_status 1
  expect_no_out
  expect_err 'a JDK 25 or newer'
  expect_err "java-17: Java 17.0.15"
  expect_err "java-8: Java 1.8.0_392"
  [ "$(grep -c 'java-17: ' "$box/err")" -eq 1 ] || problem 'java-17 is listed twice'
}

test_jre_is_refused() {
  add_jdk "$box/root/usr/lib/jvm/java-25-jre" 25
  rm "$box/root/usr/lib/jvm/java-25-jre/bin/javac"
  start
  expect_status 1
  expect_err 'without its compiler (a JRE)'
}

test_wrong_own_java_home_is_an_error() {
  add_jdk "$box/root/usr/lib/jvm/temurin-25" 25
  add_jdk "$box/old" 21.0.2
  environment=(QNEXT_AOT=off "QNEXT_JAVA_HOME=$box/old")
  start
  expect_status 1
  expect_err "QNEXT_JAVA_HOME=$box/old is not a JDK 25 or newer"
  expect_err 'Java 21.0.2'
}

test_install_commands() {
  local sudo='sudo '
  [ "$EUID" -eq 0 ] && sudo=''
  rm "$box/bin/mvn"
  expect_install 'ID=debian VERSION_ID="12"' \
    "${sudo}apt install extrepo && ${sudo}extrepo enable temurin && ${sudo}apt update && ${sudo}apt install temurin-25-jdk maven"
  expect_install 'ID=debian VERSION_ID="13"' "${sudo}apt install openjdk-25-jdk-headless maven"
  expect_install 'ID=debian' "${sudo}apt install openjdk-25-jdk-headless maven"
  expect_install 'ID=ubuntu VERSION_ID="24.04" ID_LIKE=debian' "${sudo}apt install openjdk-25-jdk-headless maven"
  expect_install 'ID=fedora VERSION_ID=43' "${sudo}dnf install java-25-openjdk-devel maven"
  expect_install 'ID=rocky ID_LIKE="rhel centos fedora"' "${sudo}dnf install java-25-openjdk-devel maven"
  expect_install 'ID=arch' "${sudo}pacman -S jdk25-openjdk maven"
  expect_install 'ID=slackware' 'sdk install java 25.0.3-tem && sdk install maven'
  on_mac arm64
  rm "$box/bin/mvn"
  start
  expect_err 'brew install openjdk@25 maven    (Homebrew: https://brew.sh)'
  script "$box/bin/brew" 'exit 1'
  start
  has_line "$err" '  brew install openjdk@25 maven' || problem "no command for macOS: $err"
}

expect_install() { # OS-RELEASE COMMAND
  mkdir -p "$box/root/etc"
  printf '%s\n' "$1" | sed -e 's/ \([A-Z]\)/\
\1/g' >"$box/root/etc/os-release"
  start
  expect_status 1
  has_line "${err%    (*}" "  $2" || problem "for $1, not '$2' but: $err"
}

test_missing_maven_is_named() {
  add_jdk "$box/root/usr/lib/jvm/temurin-25" 25
  rm "$box/bin/mvn"
  start
  expect_status 1
  expect_no_out
  expect_err 'Maven is missing'
  expect_err 'install maven'
}

on_mac() { # MACHINE [SYSCTL-SCRIPT]
  new_machine Darwin "$1"
  script "$box/bin/sysctl" "${2:-exit 1}"
}
