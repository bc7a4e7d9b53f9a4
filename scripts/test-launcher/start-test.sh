# shellcheck shell=bash disable=SC2016,SC2034,SC2154 # shares its variables with run and machine.sh
# How Java is started: paths, arguments, streams, signals, environment.

with_jdk() {
  the_jdk=$box/root/usr/lib/jvm/temurin-25
  add_jdk "$the_jdk" 25.0.3
}

test_through_links_and_from_anywhere() {
  with_jdk
  mkdir -p "$box/home/bin" "$box/far away"
  ln -s "$repo/scripts/qnext" "$box/far away/one"
  ln -s "../../far away/one" "$box/home/bin/qnext"
  launcher=$box/home/bin/qnext
  start
  expect_out "arg=-Dqnext.home=$repo"
  expect_out "cwd=$box/elsewhere"

  cwd=$repo/scripts
  launcher=./qnext
  start
  expect_out "arg=-Dqnext.home=$repo"
  expect_out "cwd=$repo/scripts"
}

test_folder_that_is_a_link() {
  with_jdk
  ln -s "$repo" "$box/linked"
  launcher=$box/linked/scripts/qnext
  start
  expect_out "arg=-Dqnext.home=$repo"
}

test_cdpath_does_not_mislead() {
  with_jdk
  mkdir -p "$box/trap/scripts"
  cwd=$repo
  launcher=scripts/qnext
  environment=(QNEXT_AOT=off "CDPATH=$box/trap")
  start
  expect_status 0
  expect_out "arg=-Dqnext.home=$repo"
}

test_class_path_and_options() {
  with_jdk
  start --version
  local app
  app=$repo/target/launcher/$(cat "$repo/target/launcher/current")
  expect_out "arg=$app/qnext.jar:$app/lib/a.jar:$app/lib/b.jar"
  expect_out 'arg=-XX:+UseSerialGC'
  expect_out 'arg=--enable-native-access=ALL-UNNAMED'
  expect_out 'arg=dev.qnext.cli.Main'
  expect_out 'arg=--version'
}

test_arguments_arrive_unchanged() {
  with_jdk
  start chat 'two words' '' '*' "it's" -- --x
  case $out in
    *"arg=dev.qnext.cli.Main
arg=chat
arg=two words
arg=
arg=*
arg=it's
arg=--
arg=--x") ;;
    *) problem "arguments: $out" ;;
  esac
  start
  case $out in
    *'arg=dev.qnext.cli.Main') ;;
    *) problem "an argument out of nothing: $out" ;;
  esac
}

test_exit_code_is_that_of_java() {
  with_jdk
  environment=(QNEXT_AOT=off FAKE_STATUS=130)
  start
  expect_status 130
}

test_java_replaces_the_script_and_gets_its_signals() {
  with_jdk
  start
  environment=(QNEXT_AOT=off FAKE_SLEEP=30)
  start_in_background
  wait_until test -e "$box/java-runs"
  has_line "$(cat "$box/out0")" "pid=$started" || problem "Java is another process than the script"
  kill -TERM "$started"
  wait "$started" 2>/dev/null
  [ $? -eq 143 ] || problem 'Java did not get the signal'
}

test_standard_input_belongs_to_java() {
  with_jdk
  environment=(QNEXT_AOT=off FAKE_READS=yes)
  printf 'a prompt' >"$box/prompt"
  start <"$box/prompt" # with a build on the way
  expect_out 'stdin=a prompt'
  [ ! -s "$box/maven-stdin" ] || problem 'Maven read the standard input'
}

test_without_home() {
  with_jdk
  environment=(QNEXT_AOT=on)
  (cd "$cwd" && env -i "PATH=$box/bin" "BOX=$box" "QNEXT_SYSTEM_ROOT=$box/root" "$launcher" x) >"$box/out" 2>"$box/err"
  status=$?
  out=$(cat "$box/out") err=$(cat "$box/err")
  expect_status 0
  expect_java "$the_jdk"
  case $out in *qnext.mlx*) problem "a folder of MLX out of nothing: $out" ;; esac
  expect_builds 1
}

test_colon_in_the_folder_is_an_error() {
  with_jdk
  mv "$repo" "$box/a:b"
  launcher=$box/a:b/scripts/qnext
  start
  expect_status 1
  expect_err "has a ':' in its name"
}

test_java_options_of_the_user() {
  with_jdk
  cwd=$repo # which has a pom.xml
  environment=(QNEXT_AOT=off 'QNEXT_JAVA_OPTS=-Xmx2g  pom* ')
  start run
  case $out in
    *'arg=-Xmx2g
arg=pom*
arg=dev.qnext.cli.Main
arg=run') ;;
    *) problem "options: $out" ;;
  esac
  expect_out 'arg=-XX:+UseSerialGC'
  environment=(QNEXT_AOT=off QNEXT_JAVA_OPTS=-XX:+UseParallelGC)
  start
  expect_out 'arg=-XX:+UseParallelGC'
  has_line "$out" 'arg=-XX:+UseSerialGC' && problem 'two collectors'
}

test_arguments_keep_their_letters_in_the_c_locale() {
  with_jdk
  start
  expect_out 'LC_ALL=C.UTF-8'
  environment=(QNEXT_AOT=off LC_ALL=POSIX LANG=de_DE.UTF-8)
  start
  expect_out 'LC_ALL=C.UTF-8'
  environment=(QNEXT_AOT=off LANG=de_DE.UTF-8)
  start
  expect_out 'LC_ALL='
}

test_buffer_caps_of_mlx() {
  on_mac arm64 "[ \"\$2\" = machdep.cpu.brand_string ] && echo 'Apple M3 Max'"
  add_jdk "$box/root/Library/Java/JavaVirtualMachines/t.jdk/Contents/Home" 25 aarch64
  start
  expect_out 'MLX=1024 1000'
  environment=(QNEXT_AOT=off MLX_MAX_MB_PER_BUFFER=77)
  start
  expect_out 'MLX=77 1000'
  environment=(QNEXT_AOT=off MLX_MAX_OPS_PER_BUFFER=88)
  start
  expect_out 'MLX=1024 88'
  environment=(QNEXT_AOT=off)
  local chip
  for chip in 'Apple M1' 'Apple M2 Pro' 'Apple M4 Max'; do
    script "$box/bin/sysctl" "echo '$chip'"
    start
    expect_out 'MLX=1024 1000'
  done
  for chip in 'Apple M5' 'Apple M5 Max'; do
    script "$box/bin/sysctl" "echo '$chip'"
    start
    expect_out 'MLX= '
  done
  script "$box/bin/sysctl" "echo 'Apple M10 Pro'"
  start
  expect_out 'MLX= '
}

test_folder_of_mlx() {
  with_jdk
  start # whether it is there or not
  expect_out "arg=-Dqnext.mlx=$box/home/.cache/qnext/mlx-0.32.2"
  environment=(QNEXT_AOT=off "XDG_CACHE_HOME=$box/x d g")
  start
  expect_out "arg=-Dqnext.mlx=$box/x d g/qnext/mlx-0.32.2"
  environment=(QNEXT_AOT=off XDG_CACHE_HOME=relative) # such a path is to be ignored
  start
  expect_out "arg=-Dqnext.mlx=$box/home/.cache/qnext/mlx-0.32.2"
  on_mac arm64
  add_jdk "$box/root/Library/Java/JavaVirtualMachines/t.jdk/Contents/Home" 25 aarch64
  start
  expect_out "arg=-Dqnext.mlx=$box/home/Library/Caches/qnext/mlx-0.32.2"
}
