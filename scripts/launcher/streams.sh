# shellcheck shell=bash
# Opens the standard streams that the caller has closed (`<&-`, `>&-`): otherwise the first files that Java opens take
# their numbers, and its class library is read as the prompt. Sourced.

# Nothing comes from a closed input; what goes to a closed output fails, since an answer must not be lost in silence.
open_streams() {
  { : 3<&0; } 2>/dev/null || exec </dev/null
  { : 3>&1; } 2>/dev/null || exec 1</dev/null
  : 3>&2 || exec 2>/dev/null # without a message where 2 is closed
}
