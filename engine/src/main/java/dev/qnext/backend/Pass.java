package dev.qnext.backend;

/** The two kinds of forward pass that a {@link State} knows. */
public enum Pass {
  /** Any number of tokens, all of which are kept. */
  PREFILL,
  /** At most {@link State#MAX_VERIFY} tokens, of which {@link State#accept} keeps the first n. */
  VERIFY
}
