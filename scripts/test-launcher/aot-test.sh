# shellcheck shell=bash disable=SC2016,SC2034,SC2154 # shares its variables with run and machine.sh
# The ahead-of-time cache: made once, in the background, used from then on.

test_cache_is_made_and_used() {
  with_jdk
  environment=(A=b)
  start
  expect_no_cache_option
  local cache
  cache=$box/home/.cache/qnext/$(cat "$repo/target/launcher/current")-25.0.3+9-LTS-Stub___Sons.aot
  wait_until test -f "$cache" || return
  wait_until test ! -e "$cache.training"
  start
  expect_out "arg=-XX:AOTCache=$cache"
  grep -q '^train .* dev.qnext.cli.Main --version$' "$box/log" || problem "training: $(cat "$box/log")"
  [ "$(grep -c '^train ' "$box/log")" -eq 1 ] || problem 'trained more than once'
}

test_training_talks_to_the_bundled_model() {
  with_jdk
  mkdir -p "$repo/models/demo"
  touch "$repo/models/demo/config.json"
  environment=(QNEXT_MODEL=/somewhere/big)
  start
  wait_until grep -q "^train .* chat --model $repo/models/demo --max-tokens 16 Hello\$" "$box/log"
  # Neither the user's settings nor the kept conversations have to do with it.
  grep -q "^settings of training in $box/home/.cache/qnext/.*\.training\$" "$box/log" || problem "settings: $(cat "$box/log")"
}

test_another_jdk_gets_another_cache() {
  with_jdk
  environment=(A=b)
  start
  wait_until grep -q '^train ' "$box/log"
  add_jdk "$the_jdk" 25.0.4
  start
  expect_no_cache_option
  wait_until test -f "$box/home/.cache/qnext/$(cat "$repo/target/launcher/current")-25.0.4+9-LTS-Stub___Sons.aot"
}

test_failed_training_is_not_repeated_at_once() {
  with_jdk
  environment=(FAKE_TRAINING_FAILS=yes)
  start
  wait_until grep -q '^train ' "$box/log"
  sleep 1.5
  start
  start
  sleep 0.5
  expect_status 0
  expect_no_err
  [ "$(grep -c '^train ' "$box/log")" -eq 1 ] || problem 'trained again at once'
  find "$box/home/.cache/qnext" -exec touch -t 202001010000 {} +
  start # finds the old try and clears it
  wait_until eval '[ -z "$(ls "$box/home/.cache/qnext")" ]'
  start
  wait_until eval '[ "$(grep -c "^train " "$box/log")" -eq 2 ]'
}

test_old_caches_go_with_their_copy() {
  with_jdk
  environment=(A=b)
  start
  wait_for_cache 1
  later_change "$repo/pom.xml"
  start
  wait_for_cache 2
  later_change "$repo/pom.xml"
  start
  wait_for_cache 2
}

test_places_of_the_cache() {
  with_jdk
  environment=("XDG_CACHE_HOME=$box/xdg")
  start
  wait_until eval 'ls "$box"/xdg/qnext/*.aot'
  expect_no_file "$box/home/.cache"
  on_mac arm64
  add_jdk "$box/root/Library/Java/JavaVirtualMachines/t.jdk/Contents/Home" 25 aarch64
  environment=(A=b)
  start
  wait_until eval 'ls "$box"/home/Library/Caches/qnext/*.aot'
}

test_no_cache_when_told_so() {
  with_jdk
  environment=(A=b)
  start
  wait_for_cache 1
  environment=(QNEXT_AOT=off)
  start
  expect_no_cache_option
  rm -rf "$box/home/.cache"
  environment=(QNEXT_JAVA_OPTS=-Xmx1g) # they may not be fit for training: a debugger, say
  start
  expect_no_cache_option
  sleep 0.5
  expect_no_file "$box/home/.cache"
}

test_cache_folder_that_cannot_be_made() {
  with_jdk
  environment=(XDG_CACHE_HOME=/dev/null)
  start
  start
  expect_status 0
  expect_no_err
  expect_no_cache_option
}

expect_no_cache_option() {
  case $out in *AOTCache*) problem "a cache is used: $out" ;; esac
}

wait_for_cache() { # HOW-MANY
  local many=$1
  wait_until eval '[ "$(ls "$box"/home/.cache/qnext | grep -c "aot$")" -eq "$many" ] &&
    [ "$(ls "$box"/home/.cache/qnext | grep -c training)" -eq 0 ]'
}
