# shellcheck shell=bash disable=SC2154
# A long step of work: its output in a file, its seconds on the terminal, and a stop that reaches all of it. Sourced,
# after lock.sh, whose lock is held.

# run_step LINE LOG COMMAND...: the exit code is the command's, which may be a function of ours (in a subshell).
run_step() {
  local line=$1 log=$2
  shift 2
  # A process group of its own (set -m), so that a stop reaches all of it. It must not read our standard input.
  set -m
  "$@" </dev/null >"$log" 2>&1 &
  step=$!
  set +m
  printf '%s\n' "$step" >>"$lock/owner"

  local begin=$SECONDS
  if [ -t 2 ]; then
    while kill -0 "$step" 2>/dev/null; do
      printf '\r%s ... %s s ' "$line" "$((SECONDS - begin))" >&2
      sleep 0.2
    done
  else
    printf '%s ...\n' "$line" >&2
  fi
  wait "$step"
  local status=$?
  step=''
  if [ -t 2 ]; then
    printf '\r\033[K' >&2
  fi
  return "$status"
}

# A signal stops the step and this script; the trap on EXIT gives the lock back, and all that lies in it.
stop_steps_by_signal() {
  trap 'stop_step 129' HUP
  trap 'stop_step 130' INT
  trap 'stop_step 143' TERM
}

stop_step() {
  trap - HUP INT TERM
  if [ -n "${step:-}" ]; then
    kill -TERM "-$step" 2>/dev/null
    wait "$step" 2>/dev/null
  fi
  if [ -t 2 ]; then
    printf '\n' >&2
  fi
  exit "$1"
}
