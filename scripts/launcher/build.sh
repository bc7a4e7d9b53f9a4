# shellcheck shell=bash
# Builds qnext with Maven when it was never built or its sources have changed. Sourced, after jdk.sh and install.sh.
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
  trap 'stop_build 129' HUP
  trap 'stop_build 130' INT
  trap 'stop_build 143' TERM
  take_lock
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

  # A process group of its own (set -m), so that a stop reaches all of it. Maven must not read our standard input.
  set -m
  (cd "$home" && JAVA_HOME=$jdk exec mvn -B -q -ntp -Dstyle.color=never -DskipTests -Dmaven.test.skip=true \
    -pl cli -am package) </dev/null >"$state/build.log" 2>&1 &
  maven=$!
  set +m
  printf '%s\n' "$maven" >>"$lock/owner"

  local begin=$SECONDS
  if [ -t 2 ]; then
    while kill -0 "$maven" 2>/dev/null; do
      printf '\r%s ... %s s ' "$1" "$((SECONDS - begin))" >&2
      sleep 0.2
    done
  else
    printf '%s ...\n' "$1" >&2
  fi
  wait "$maven"
  local status=$?
  maven=''
  if [ -t 2 ]; then
    printf '\r\033[K' >&2
  fi
  return "$status"
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

# Ends this script by a signal during a build; the trap on EXIT gives the lock back.
stop_build() {
  trap - HUP INT TERM
  if [ -n "${maven:-}" ]; then
    kill -TERM "-$maven" 2>/dev/null
    wait "$maven" 2>/dev/null
  fi
  if [ -t 2 ]; then
    printf '\n' >&2
  fi
  exit "$1"
}

# The lock is a folder, since mkdir either makes it or fails. Its file `owner` has a line with the host, then the
# numbers of the processes that work under it.
take_lock() {
  local said=''
  until mkdir "$lock" 2>/dev/null; do
    [ -d "$lock" ] || [ -w "$state" ] || die "$state cannot be written"
    if lock_is_stale; then
      break_lock
    else
      [ -n "$said" ] || warn "waiting for another build in $home"
      said=yes
      sleep 0.2
    fi
  done
  printf '%s\n%s\n' "${HOSTNAME:-}" "$$" >"$lock/owner"
}

# True when no process of the owner lives. Of another host's processes we know nothing: an hour is enough for a build.
# A lock without its file is a moment old, or its maker died in that moment.
lock_is_stale() {
  local host='' process
  [ -f "$lock/owner" ] || {
    is_older_than 1 "$lock"
    return
  }
  is_older_than 60 "$lock" && return
  {
    IFS= read -r host
    [ "$host" = "${HOSTNAME:-}" ] || return 1
    while IFS= read -r process; do
      kill -0 "$process" 2>/dev/null && return 1
    done
  } <"$lock/owner"
  return 0
}

# Only one may look and remove at a time, or the second would remove the lock that the first has just taken.
break_lock() {
  if mkdir "$lock.break" 2>/dev/null; then
    lock_is_stale && rm -rf "$lock"
    rmdir "$lock.break"
  elif is_older_than 1 "$lock.break"; then
    rmdir "$lock.break" 2>/dev/null
  else
    sleep 0.2
  fi
}

# is_older_than MINUTES FILE
is_older_than() {
  [ -n "$(find "$2" -prune -mmin "+$1" -print 2>/dev/null)" ]
}
