package dev.qnext.generate;

/** Sees every token as it is generated, on the generating thread. */
@FunctionalInterface
public interface TokenListener {
  /** Returns false to end the reply with this token. */
  boolean accept(int id);
}
