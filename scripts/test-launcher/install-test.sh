# shellcheck shell=bash disable=SC2016,SC2034,SC2154 # shares its variables with run and machine.sh
# scripts/install: what it puts where, what it says, and that it takes all of it away again.

# A machine where qnext runs, and the commands that install needs beyond the launcher's.
with_install() {
  with_jdk
  cp "$repository/scripts/install" "$repo/scripts/"
  ln -s "$(type -P awk)" "$(type -P ln)" "$box/bin/"
  launcher=$repo/scripts/install
  cwd=$box/elsewhere
}

everything_in() {
  (cd "$1" && find . | sort)
}

test_install_and_remove() {
  with_install
  mkdir -p "$box/home/.local/bin" "$box/home/.local/share/man"
  echo other >"$box/home/.local/bin/other"
  local before
  before=$(everything_in "$box/home")
  start
  expect_status 0
  expect_out "made     $box/home/.local/bin/qnext"
  expect_out "made     $box/home/.local/share/bash-completion/completions/qnext"
  expect_out "made     $box/home/.local/share/zsh/site-functions/_qnext"
  expect_out "made     $box/home/.local/share/man/man1/qnext.1"
  [ "$(readlink "$box/home/.local/bin/qnext")" = "$repo/scripts/qnext" ] || problem 'the link is wrong'
  has_line "$(cat "$box/home/.local/share/bash-completion/completions/qnext")" 'arg=bash' || problem 'not what completion bash printed'
  has_line "$(cat "$box/home/.local/share/zsh/site-functions/_qnext")" 'arg=zsh' || problem 'not what completion zsh printed'
  has_line "$(cat "$box/home/.local/share/man/man1/qnext.1")" 'arg=man' || problem 'not what man printed'

  # The program through the link.
  launcher=$box/home/.local/bin/qnext
  start --version
  expect_out "arg=-Dqnext.home=$repo"

  # A second time is fine, and all goes again.
  launcher=$repo/scripts/install
  start
  expect_status 0
  start --remove
  expect_status 0
  expect_no_err
  expect_out "removed  $box/home/.local/bin/qnext"
  [ "$(everything_in "$box/home")" = "$before" ] || problem "left behind: $(everything_in "$box/home")"
  start --remove
  expect_status 1
  expect_err "install: nothing of qnext is installed in $box/home/.local"
}

test_install_elsewhere() {
  with_install
  start --prefix "$box/a prefix"
  expect_status 0
  [ -L "$box/a prefix/bin/qnext" ] || problem 'no link'
  cwd=$box
  start --prefix='a prefix' --remove
  expect_status 0
  expect_no_file "$box/a prefix"
  expect_no_file "$box/home/.local"
}

test_install_leaves_what_others_put_there() {
  with_install
  start
  echo other >"$box/home/.local/share/man/man1/other.1"
  rm "$box/home/.local/bin/qnext"
  echo mine >"$box/home/.local/bin/qnext"
  start --remove
  expect_status 0
  expect_err "install: $box/home/.local/bin/qnext is not ours any more and stays"
  [ -f "$box/home/.local/share/man/man1/other.1" ] || problem 'another manual page is gone'
  [ "$(cat "$box/home/.local/bin/qnext")" = mine ] || problem 'a program of another is gone'
  expect_no_file "$box/home/.local/share/zsh"

  start
  expect_status 1
  expect_err "$box/home/.local/bin/qnext is there already and is not ours"
}

test_install_of_another_copy() {
  with_install
  mkdir -p "$box/home/.local/bin"
  ln -s /elsewhere/scripts/qnext "$box/home/.local/bin/qnext"
  start # takes its place
  expect_status 0
  [ "$(readlink "$box/home/.local/bin/qnext")" = "$repo/scripts/qnext" ] || problem 'the link is still the old one'
  rm "$box/home/.local/bin/qnext"
  ln -s /elsewhere/scripts/qnext "$box/home/.local/bin/qnext"
  start --remove
  expect_status 1
  expect_err 'belongs to another copy of qnext: /elsewhere/scripts/qnext'
  [ -f "$box/home/.local/share/man/man1/qnext.1" ] || problem 'removed all the same'
}

test_install_says_what_a_shell_needs() {
  with_install
  environment=(QNEXT_AOT=off SHELL=/bin/zsh)
  start
  expect_out "  export PATH=\"$box/home/.local/bin:\$PATH\""
  expect_out "$box/home/.local/bin is not on your PATH; add this line to $box/home/.zshrc:"
  expect_out "  fpath=(\"$box/home/.local/share/zsh/site-functions\" \$fpath)"
  environment=(QNEXT_AOT=off SHELL=/usr/bin/bash)
  start
  expect_out "$box/home/.local/bin is not on your PATH; add this line to $box/home/.bashrc:"
  environment=(QNEXT_AOT=off SHELL=/usr/bin/fish)
  start
  expect_out "  fish_add_path \"$box/home/.local/bin\""
  environment=(QNEXT_AOT=off SHELL=/bin/bash "PATH=$box/bin:$box/home/.local/bin")
  start
  case $out in *'on your PATH'*) problem "it is on the PATH: $out" ;; esac
}

test_install_that_cannot_be() {
  with_install
  environment=(QNEXT_AOT=off FAKE_STATUS=1)
  start
  expect_status 1
  expect_no_file "$box/home/.local"
  environment=(QNEXT_AOT=off)
  start --nonsense
  expect_status 2
  expect_err 'usage: scripts/install'
  start --prefix
  expect_status 2

  # Half-way: what was made until then can be removed.
  environment=(QNEXT_AOT=off FAKE_MAN_FAILS=yes)
  start
  expect_status 1
  expect_err "install: $box/home/.local/share/man/man1/qnext.1 cannot be made"
  environment=(QNEXT_AOT=off)
  start --remove
  expect_status 0
  expect_no_file "$box/home/.local"

  echo file >"$box/file"
  start --prefix "$box/file"
  expect_status 1
  expect_err "$box/file"
}
