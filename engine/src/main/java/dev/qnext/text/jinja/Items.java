package dev.qnext.text.jinja;

import java.util.Iterator;
import java.util.NoSuchElementException;
import org.jspecify.annotations.Nullable;

/** An iterator that makes each item when it is asked for. */
abstract class Items implements Iterator<@Nullable Object> {
  private @Nullable Object next = Values.ABSENT;

  /** The next item; {@link Values#ABSENT} when there are no more, also when called again. */
  abstract @Nullable Object draw();

  @Override
  public final boolean hasNext() {
    if (next == Values.ABSENT) {
      next = draw();
    }
    return next != Values.ABSENT;
  }

  @Override
  public final @Nullable Object next() {
    if (!hasNext()) {
      throw new NoSuchElementException();
    }
    Object item = next;
    next = Values.ABSENT;
    return item;
  }
}
