# shellcheck shell=bash
# The ahead-of-time cache (JEP 514): classes loaded and linked by a training run, for a shorter start. Sourced.
#
# Made in the background, at the lowest priority, by the first start that finds none. A cache belongs to one copy of
# the jars (its name holds the copy's), one build of the JDK (its name holds that too) and the options in
# scripts/qnext (a change there makes a new copy). Java checks all of this again and passes over a cache that does not
# fit. No start waits for a cache and none fails for want of one.

# Adds the cache to the options in java, or starts to make it.
use_aot_cache() {
  [ -n "$cache_folder" ] && [ "${QNEXT_AOT:-}" != off ] || return
  local cache=$cache_folder/${app##*/}-$jdk_build.aot
  if [ -f "$cache" ]; then
    java+=("-XX:AOTCache=$cache")
  elif [ -z "${QNEXT_JAVA_OPTS:-}" ]; then
    # Twice in the background: it outlives this terminal and is nobody's child, so Java need not reap it.
    (train "$cache" </dev/null >/dev/null 2>&1 &)
  fi
}

# The folder CACHE.training is the lock; it stays behind when training fails, so that the next try is tomorrow.
train() {
  local cache=$1 training
  trap '' HUP INT
  mkdir -p "$cache_folder" || return
  if ! mkdir "$cache.training"; then
    is_older_than 1440 "$cache.training" && rm -rf "$cache.training"
    return
  fi

  local arguments=(--version)
  if [ -f "$home/models/demo/config.json" ]; then
    arguments=(chat --model "$home/models/demo" --max-tokens 16 Hello)
  fi
  # Without adapters the cache holds no machine code: JDK 25 and 26 do not check that it suits the processor, and a
  # home folder may be shared by several machines.
  # Settings may hold anything, and nobody has had this conversation: both are looked for in a folder that goes.
  XDG_CONFIG_HOME=$cache.training nice -n 19 "${java[@]}" -XX:+IgnoreUnrecognizedVMOptions -XX:+UnlockDiagnosticVMOptions -XX:-AOTAdapterCaching \
    "-XX:AOTCacheOutput=$cache.training/new" "$main" "${arguments[@]}" &
  training=$!

  local second=0
  while kill -0 "$training"; do
    sleep 1
    second=$((second + 1))
    [ "$second" -le 120 ] || kill -KILL "$training"
  done
  [ -s "$cache.training/new" ] && mv -f "$cache.training/new" "$cache" && rm -rf "$cache.training"
}

# forget_aot_cache COPY: when a copy of the jars is removed.
forget_aot_cache() {
  [ -n "$cache_folder" ] || return 0
  rm -rf "$cache_folder/$1-"*.aot "$cache_folder/$1-"*.aot.training
}
