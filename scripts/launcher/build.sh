# shellcheck shell=bash
# Builds qnext with Maven when it was never built or its sources have changed. Sourced, after jdk.sh,
# install.sh, lock.sh and step.sh.
#
# Programs run from a copy of the jars, target/launcher/app-*/, that never changes once it is there: neither a rebuild
# nor scripts/test pulls jars from under a running conversation, and an AOT cache stays right. The file
# target/launcher/current names the newest copy. It is renamed into place when the copy is whole, so a killed build
# leaves nothing that looks finished; its time is that of the start of the build.

state=$home/target/launcher
lock=$state/lock

# Sets app, the folder with qnext.jar and lib/. Ends the script when there is nothing to run.
ensure_built() {
  local built='' obstacle=''
  if find_app; then
    app_is_fresh && return
    built=yes
  fi
  if ! type -P mvn >/dev/null; then
    obstacle="Maven is missing; install it with
  $(install_command maven)"
  elif ! mkdir -p "$state" 2>/dev/null || [ ! -w "$state" ]; then
    obstacle="$state cannot be written"
  fi

  if [ -z "$obstacle" ]; then
    build
  elif [ -n "$built" ]; then
    warn "the sources are newer than the built program, which runs as it is, because $obstacle"
  else
    die "qnext was never built here and cannot be, because $obstacle"
  fi
}

find_app() {
  local name
  app=''
  [ -f "$state/current" ] && IFS= read -r name <"$state/current" && [ -f "$state/$name/qnext.jar" ] &&
    app=$state/$name
}

# Folders count too: a file that was removed shows in the time of its folder.
app_is_fresh() {
  [ -z "$(find "$home/pom.xml" "$home/.mvn" "$home/scripts/qnext" "$home/scripts/launcher" \
    "$home"/*/pom.xml "$home"/*/src/main -newer "$state/current" -print 2>/dev/null)" ]
}

build() {
  stop_steps_by_signal
  take_lock "build in $home"
  trap 'rm -rf "$lock"' EXIT
  if ! { find_app && app_is_fresh; }; then # else another terminal has built it meanwhile
    local before=$app
    local line='qnext: building'
    [ -n "$before" ] || line="$line, on first use only"
    run_maven "$line" || fail_build
    publish_app "$before" || die "the built program could not be copied to $state: is the disk full?"
  fi
  rm -rf "$lock"
  trap - EXIT HUP INT TERM
}

run_maven() {
  # Jars of libraries that are no longer used would stay.
  rm -rf "$home/cli/target/lib"
  next=app-$(date +%Y%m%d-%H%M%S)-$$
  printf '%s\n' "$next" >"$state/next" # now: what is edited during the build is newer
  run_step "$1" "$state/build.log" package
}

package() {
  cd "$home" || return
  export JAVA_HOME=$jdk
  exec mvn -B -q -ntp -Dstyle.color=never -DskipTests -Dmaven.test.skip=true -pl cli -am package
}

fail_build() {
  tail -n 40 "$state/build.log" >&2
  die "the build failed; all that Maven said is in $state/build.log"
}

# Copies the jars, makes them current, and removes all copies but the one before, which may be running.
publish_app() {
  app=$state/$next
  mkdir -p "$app/lib" &&
    cp "$home/cli/target/qnext.jar" "$app/" &&
    cp "$home"/cli/target/lib/*.jar "$app/lib/" &&
    mv -f "$state/next" "$state/current" || return

  local old
  for old in "$state"/app-*; do
    if [ "$old" != "$app" ] && [ "$old" != "$1" ]; then
      rm -rf "$old"
      forget_aot_cache "${old##*/}"
    fi
  done
}
