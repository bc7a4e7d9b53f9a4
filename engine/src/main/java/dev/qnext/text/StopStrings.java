package dev.qnext.text;

import java.util.List;

/**
 * Cuts a stream of text before the first place at which one of some strings stands, wherever the
 * pieces are cut: the same as searching the whole text at its end.
 */
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
    int first = first();
    int begun = begun();
    // One that has only begun, but before the one that is complete, may still become the first.
    found = first >= 0 && first <= begun;
    return take(found ? first : begun);
  }

  /** Where the first complete stop string stands; -1 if there is none. */
  private int first() {
    int first = -1;
    for (String stop : stops) {
      int at = pending.indexOf(stop);
      if (at >= 0 && (first < 0 || at < first)) {
        first = at;
      }
    }
    return first;
  }

  /** Where the longest end of the pending text stands with which a stop string begins. */
  private int begun() {
    int longest = 0;
    for (String stop : stops) {
      for (int n = Math.min(stop.length() - 1, pending.length()); n > longest; n--) {
        if (stop.startsWith(pending.substring(pending.length() - n))) {
          longest = n;
        }
      }
    }
    return pending.length() - longest;
  }

  private String take(int length) {
    String text = pending.substring(0, length);
    pending.delete(0, length);
    return text;
  }

  boolean found() {
    return found;
  }

  /** What was held back and stands before any stop string, once nothing more comes. */
  String finish() {
    int first = first();
    found |= first >= 0;
    String rest = take(first >= 0 ? first : pending.length());
    pending.setLength(0);
    return rest;
  }
}
