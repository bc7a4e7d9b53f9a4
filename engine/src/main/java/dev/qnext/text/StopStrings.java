package dev.qnext.text;

import java.util.List;

/** Ends a stream of text before the first of some strings, wherever the pieces are cut. */
final class StopStrings {
  private final List<String> stops;
  private final StringBuilder pending = new StringBuilder();
  private boolean found;

  StopStrings(List<String> stops) {
    this.stops = stops.stream().filter(stop -> !stop.isEmpty()).toList();
  }

  /** Text that surely stands before any stop string; the rest is held back until more is known. */
  String accept(String piece) {
    if (found || stops.isEmpty()) {
      return found ? "" : piece;
    }
    pending.append(piece);
    int first = -1;
    for (String stop : stops) {
      int at = pending.indexOf(stop);
      if (at >= 0 && (first < 0 || at < first)) {
        first = at;
      }
    }
    found = first >= 0;
    int sure = found ? first : pending.length() - held();
    String text = pending.substring(0, sure);
    pending.delete(0, sure);
    return text;
  }

  /** Length of the longest end of the pending text with which a stop string begins. */
  private int held() {
    int longest = 0;
    for (String stop : stops) {
      for (int n = Math.min(stop.length() - 1, pending.length()); n > longest; n--) {
        if (stop.startsWith(pending.substring(pending.length() - n))) {
          longest = n;
        }
      }
    }
    return longest;
  }

  boolean found() {
    return found;
  }

  /** What was held back, once nothing more comes. */
  String finish() {
    String rest = found ? "" : pending.toString();
    pending.setLength(0);
    return rest;
  }
}
