# shellcheck shell=bash
# Names what is missing, with the command that installs it on this system. Sourced, after system.sh.

die_without_jdk() {
  local missing=jdk
  type -P mvn >/dev/null || missing='jdk maven'
  if [ -n "${QNEXT_JAVA_HOME:-}" ]; then
    die "QNEXT_JAVA_HOME=$QNEXT_JAVA_HOME is not a JDK $jdk_minimum or newer for $machine: correct it or unset it$jdk_rejected"
  fi
  die "a JDK $jdk_minimum or newer for $machine is needed and was not found; install it with
  $(install_command "$missing")${jdk_rejected:+
These were found, but will not do:$jdk_rejected}"
}

# The command for 'jdk', 'maven' or 'jdk maven'.
install_command() {
  local sudo='sudo '
  [ "$EUID" -eq 0 ] && sudo=''
  if [ "$system" = Darwin ]; then
    printf 'brew install%s' "$(packages "$1" openjdk@25 maven)"
    type -P brew >/dev/null || printf '    (Homebrew: https://brew.sh)'
    return
  fi

  read_distribution
  case " $distribution " in
    *' ubuntu '*) printf '%sapt install%s' "$sudo" "$(packages "$1" openjdk-25-jdk-headless maven)" ;;
    *' debian '*)
      # Debian 12 has no JDK after 17; extrepo is Debian's own way to Adoptium's signed packages.
      if [ "$distribution_version" -lt 13 ] && [ "$1" != maven ]; then
        printf '%sapt install extrepo && %sextrepo enable temurin && %sapt update && ' "$sudo" "$sudo" "$sudo"
        printf '%sapt install%s' "$sudo" "$(packages "$1" temurin-25-jdk maven)"
      else
        printf '%sapt install%s' "$sudo" "$(packages "$1" openjdk-25-jdk-headless maven)"
      fi
      ;;
    *' fedora '* | *' rhel '*) printf '%sdnf install%s' "$sudo" "$(packages "$1" java-25-openjdk-devel maven)" ;;
    *' arch '*) printf '%spacman -S%s' "$sudo" "$(packages "$1" jdk25-openjdk maven)" ;;
    *' alpine '*) printf '%sapk add%s' "$sudo" "$(packages "$1" openjdk25-jdk maven)" ;;
    *' suse '*) printf '%szypper install%s' "$sudo" "$(packages "$1" java-25-openjdk-devel maven)" ;;
    *)
      case $1 in
        jdk) printf 'sdk install java 25.0.3-tem' ;;
        maven) printf 'sdk install maven' ;;
        *) printf 'sdk install java 25.0.3-tem && sdk install maven' ;;
      esac
      printf '    (SDKMAN: https://sdkman.io/install)'
      ;;
  esac
}

# packages 'jdk maven' JDK-PACKAGE MAVEN-PACKAGE
packages() {
  case $1 in
    jdk) printf ' %s' "$2" ;;
    maven) printf ' %s' "$3" ;;
    *) printf ' %s %s' "$2" "$3" ;;
  esac
}
