# shellcheck shell=bash disable=SC2154
# One at a time: a lock that survives neither its owner nor an hour. Sourced; the caller sets lock, its folder.
#
# The lock is a folder, since mkdir either makes it or fails. Its file `owner` has a line with the host, then the
# numbers of the processes that work under it. What the owner keeps in the folder goes with the lock.

# take_lock WHAT: waits for another owner, and says so: "waiting for another WHAT".
take_lock() {
  local said='' parent=${lock%/*}
  until mkdir "$lock" 2>/dev/null; do
    [ -d "$lock" ] || [ -w "$parent" ] || die "$parent cannot be written"
    if lock_is_stale; then
      break_lock
    else
      [ -n "$said" ] || warn "waiting for another $1"
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
