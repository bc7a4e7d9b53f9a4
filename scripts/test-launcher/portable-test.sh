# shellcheck shell=bash disable=SC2016,SC2034,SC2154 # shares its variables with run and machine.sh
# What bash 3.2 or the BSD tools of macOS lack must not come back in.

test_nothing_that_macos_lacks() {
  local pattern found
  for pattern in \
    'declare -[Agn]' 'local -[An]' 'mapfile' 'readarray' '\$\{[A-Za-z_]+(,,|\^\^|@[A-Z])' '&>>' '\|&' 'coproc' \
    'readlink -[fem]' 'realpath' 'sed -i' 'sed .*-r ' 'grep -[a-zA-Z]*P' 'stat -' 'date [^)]*%N' 'date -d' \
    '(^|[ (])nproc' '(^|[ (])timeout ' '(sha|md5)[0-9]*sum' '-printf' 'find [^|]*-quit' 'cp -[a-z]*a' 'xargs -r' \
    'mktemp --' 'sort -V' '(^|[ |(])tac ' '(^|[ (])seq ' '\[\[ -v' 'printf -v' 'BASHPID' 'EPOCH(SECONDS|REALTIME)' 'wait -n' '<<<'; do
    found=$(grep -nE -e "$pattern" "$repository/scripts/qnext" "$repository/scripts/test" "$repository/scripts/bench-start" \
      "$repository/scripts/install" "$repository/scripts/install-mlx" "$repository/scripts/jextract" "$repository"/scripts/mlx/*.sh \
      "$repository"/scripts/launcher/*.sh "$repository/scripts/test-launcher/run" \
      "$repository/scripts/test-launcher/"*machine.sh "$repository/scripts/test-launcher"/[!p]*-test.sh |
      grep -vE '^[^:]*:[0-9]+:[[:space:]]*#')
    [ -z "$found" ] || problem "$pattern: $found"
  done
}
