# shellcheck shell=bash disable=SC2016,SC2034,SC2154 # shares its variables with run and machine.sh
# When the launcher builds, and what two at once, a kill, or a folder that cannot be written do to it.

test_first_use_builds_once() {
  with_jdk
  start a
  expect_status 0
  expect_err 'qnext: building, on first use only'
  [ "${out#java=}" != "$out" ] || problem "something before the output of Java: $out"
  grep -q "^mvn $the_jdk: " "$box/log" || problem "Maven does not run on the JDK that was found: $(cat "$box/log")"
  start b
  expect_no_err
  expect_builds 1
}

test_changed_sources_build_again() {
  with_jdk
  start
  later_change "$repo/engine/src/main/java/A.java"
  start
  expect_builds 2
  expect_err 'qnext: building ...'
  start
  expect_no_err
  later_change "$repo/cli/pom.xml"
  start
  expect_builds 3
  built_long_ago
  rm "$repo/engine/src/main/java/A.java"
  start
  expect_builds 4
  later_change "$repo/scripts/qnext"
  start
  expect_builds 5
  start
  expect_builds 5
}

# A file of tests or documents is no source.
test_other_changes_do_not_build() {
  with_jdk
  start
  built_long_ago
  find "$repo" -exec touch -t 202001010000 {} +
  touch -t 202101010000 "$repo/target/launcher/current"
  mkdir -p "$repo/docs" "$repo/cli/src/test/java"
  touch "$repo/README.md" "$repo/docs/x.md" "$repo/cli/src/test/java/T.java"
  start
  expect_builds 1
}

# What was edited while Maven ran must be built by the next start.
test_change_during_a_build_is_not_lost() {
  with_jdk
  environment=(QNEXT_AOT=off FAKE_MAVEN_SLEEP=2)
  start_in_background
  wait_until test -e "$box/maven-runs"
  sleep 1
  touch "$repo/cli/src/main/java/Main.java"
  wait "$started"
  environment=(QNEXT_AOT=off)
  start
  expect_builds 2
}

test_failed_build() {
  with_jdk
  environment=(QNEXT_AOT=off FAKE_MAVEN_FAILS=1)
  start
  expect_status 1
  expect_no_out
  expect_err 'COMPILATION ERROR'
  expect_err 'the build failed'
  expect_no_file "$repo/target/launcher/current"
  expect_no_file "$repo/target/launcher/lock"
  environment=(QNEXT_AOT=off)
  start
  expect_status 0
  expect_builds 2
}

test_failed_rebuild_does_not_run_the_old_program() {
  with_jdk
  start
  later_change "$repo/cli/src/main/java/Main.java"
  environment=(QNEXT_AOT=off FAKE_MAVEN_FAILS=1)
  start
  expect_status 1
  expect_no_out
  start
  expect_builds 3
}

test_two_first_starts_build_once() {
  with_jdk
  environment=(QNEXT_AOT=off FAKE_MAVEN_SLEEP=1)
  start_in_background
  local one=$started
  start_in_background x
  local two=$started
  wait "$one" || problem "the first start failed: $(cat "$box/err0")"
  wait "$two" || problem "the second start failed: $(cat "$box/err1")"
  expect_builds 1
  grep -q '^overlap' "$box/log" && problem 'two builds at once'
  grep -q '^arg=x' "$box/out1" || problem 'the second start ran nothing'
}

test_interrupted_build() {
  local signal builds=1
  with_jdk
  for signal in INT TERM HUP; do
    # Whoever runs these tests may have had the signal ignored, as nohup does; then the launcher ignores it too.
    [ -z "$(bash -c "kill -$signal \$\$; echo ignored" 2>/dev/null)" ] || continue
    builds=$((builds + 1))
    environment=(QNEXT_AOT=off FAKE_MAVEN_SLEEP=30)
    start_in_background
    wait_until test -e "$box/maven-runs"
    kill "-$signal" "$started"
    wait "$started" 2>/dev/null
    status=$?
    case $signal-$status in
      INT-130 | TERM-143 | HUP-129) ;;
      *) problem "exit code $status after $signal" ;;
    esac
    expect_no_file "$repo/target/launcher/lock"
    expect_no_file "$repo/target/launcher/current"
    expect_no_file "$repo/cli/target/qnext.jar" # Maven was stopped too
    rmdir "$box/maven-runs"
  done
  environment=(QNEXT_AOT=off)
  start
  expect_status 0
  expect_builds "$builds"
}

# After a kill -9 Maven goes on alone: the next start waits for it, then builds.
test_killed_build() {
  with_jdk
  environment=(QNEXT_AOT=off FAKE_MAVEN_SLEEP=2)
  start_in_background
  wait_until test -e "$box/maven-runs"
  wait_until eval '[ "$(grep -c . "$repo/target/launcher/lock/owner")" -eq 3 ]'
  kill -KILL "$started"
  wait "$started" 2>/dev/null
  expect_no_file "$repo/target/launcher/current"
  environment=(QNEXT_AOT=off)
  start
  expect_status 0
  expect_builds 2
  grep -q '^overlap' "$box/log" && problem 'two builds at once'
}

test_stale_locks() {
  with_jdk
  local lock=$repo/target/launcher/lock
  mkdir -p "$lock"
  printf '%s\n999999999\n' "$HOSTNAME" >"$lock/owner" # a process that is no more
  start
  expect_status 0
  expect_builds 1

  built_long_ago
  touch "$repo/pom.xml"
  mkdir -p "$lock"
  touch -t 202001010000 "$lock" # its maker died before it wrote its number
  start
  expect_status 0
  expect_builds 2

  built_long_ago
  touch "$repo/pom.xml"
  mkdir -p "$lock"
  printf 'another-host\n1\n' >"$lock/owner"
  touch -t 202001010000 "$lock"
  start
  expect_status 0
  expect_builds 3
}

test_lock_of_another_host_is_respected() {
  with_jdk
  local lock=$repo/target/launcher/lock
  mkdir -p "$lock"
  printf 'another-host\n999999999\n' >"$lock/owner"
  start_in_background
  wait_until grep -q 'waiting for another build' "$box/err0"
  sleep 0.5
  expect_builds 0
  rm -rf "$lock"
  wait "$started" || problem 'the start failed'
  expect_builds 1
}

# A running program keeps its jars through a rebuild; what is older goes.
test_copies_of_the_program() {
  with_jdk
  start
  local first second third
  first=$(cat "$repo/target/launcher/current")
  later_change "$repo/pom.xml"
  start
  second=$(cat "$repo/target/launcher/current")
  [ "$first" != "$second" ] || problem 'no new copy was made'
  [ -f "$repo/target/launcher/$first/qnext.jar" ] || problem 'the copy before is gone'
  later_change "$repo/pom.xml"
  start
  third=$(cat "$repo/target/launcher/current")
  expect_no_file "$repo/target/launcher/$first"
  [ -f "$repo/target/launcher/$second/lib/a.jar" ] || problem 'the copy before is gone'
  [ -f "$repo/target/launcher/$third/lib/a.jar" ] || problem 'the new copy is not whole'
}

test_jars_of_removed_libraries_do_not_stay() {
  with_jdk
  mkdir -p "$repo/cli/target/lib"
  touch "$repo/cli/target/lib/old.jar"
  start
  case $out in *old.jar*) problem 'an old jar is on the class path' ;; esac
}

test_without_maven_the_old_program_runs() {
  with_jdk
  start
  later_change "$repo/cli/src/main/java/Main.java"
  rm "$box/bin/mvn"
  start
  expect_status 0
  expect_java "$the_jdk"
  expect_err 'the sources are newer than the built program'
  expect_err 'Maven is missing'
}

test_read_only_folder() {
  with_jdk
  start
  later_change "$repo/cli/src/main/java/Main.java"
  read_only "$repo" || return
  start
  expect_status 0
  expect_java "$the_jdk"
  expect_err 'cannot be written'
  expect_builds 1
}

test_read_only_folder_never_built() {
  with_jdk
  read_only "$repo" || return
  start
  expect_status 1
  expect_no_out
  expect_err 'qnext was never built here and cannot be'
  expect_err "$repo/target/launcher cannot be written"
}

# Takes the right to write from the folder; root, who may write anyway, goes on as nobody.
read_only() {
  if [ "$EUID" -eq 0 ]; then
    type -P setpriv >/dev/null || {
      skip_reason='root may write everywhere and setpriv is missing'
      return 1
    }
    as_user=(setpriv --reuid=65534 --regid=65534 --clear-groups)
  fi
  chmod -R a-w "$1"
  chmod -R a+rX "$box"
  chmod a+w "$box" "$box/log" 2>/dev/null
  return 0
}

# Makes everything look old, so that what is touched next is newer, even where times are whole seconds.
built_long_ago() {
  find "$repo" -exec touch -t 202001010000 {} +
}

later_change() { # FILE
  built_long_ago
  touch "$1"
}
