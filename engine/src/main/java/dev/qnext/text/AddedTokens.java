package dev.qnext.text;

import java.util.ArrayList;
import java.util.BitSet;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.IntConsumer;
import org.jspecify.annotations.Nullable;

/**
 * Finds added tokens in text: leftmost first, the longest of those that begin at the same place.
 * Source: {@code AddedVocabulary::find_matches} of the tokenizers library.
 */
final class AddedTokens {
  /**
   * One of the file's {@code added_tokens}.
   *
   * @param content the text that it is
   * @param singleWord not recognised beside a word character
   * @param leftStrip takes the white space before it along
   * @param rightStrip takes the white space after it along
   * @param normalized looked for in normalized text; otherwise before normalization
   * @param special left out by a decoder that skips special tokens
   */
  record AddedToken(
      int id,
      String content,
      boolean singleWord,
      boolean leftStrip,
      boolean rightStrip,
      boolean normalized,
      boolean special) {

    AddedToken withContent(String other) {
      return new AddedToken(id, other, singleWord, leftStrip, rightStrip, normalized, special);
    }

    static AddedToken restore(FlatReader in) {
      return new AddedToken(
          in.number(), in.text(), in.flag(), in.flag(), in.flag(), in.flag(), in.flag());
    }

    void save(FlatWriter out) {
      out.number(id);
      out.text(content);
      out.flag(singleWord);
      out.flag(leftStrip);
      out.flag(rightStrip);
      out.flag(normalized);
      out.flag(special);
    }
  }

  /** Takes a range of text. */
  interface Between {
    void text(char[] text, int from, int to);
  }

  private final Map<Character, List<AddedToken>> byFirst = new HashMap<>();
  private final BitSet firsts = new BitSet();
  private final boolean[] asciiFirsts = new boolean[128];

  AddedTokens(List<AddedToken> tokens) {
    for (AddedToken token : tokens) {
      char first = token.content.charAt(0);
      byFirst.computeIfAbsent(first, c -> new ArrayList<>()).add(token);
      firsts.set(first);
      if (first < asciiFirsts.length) {
        asciiFirsts[first] = true;
      }
    }
    for (List<AddedToken> list : byFirst.values()) {
      list.sort(Comparator.comparingInt((AddedToken token) -> token.content.length()).reversed());
    }
  }

  /**
   * Cuts {@code text[from, to)} into added tokens, as ids, and what lies between them, in their
   * order. White space that a token takes along on its right is still searched for tokens, as the
   * reference does.
   */
  void split(char[] text, int from, int to, Between between, IntConsumer ids) {
    int done = from;
    int at = nextFirst(text, from, to);
    // White space that was looked through, so that this is not done again from each place in it.
    int spaceStart = from;
    int spaceEnd = -1;
    while (at < to) {
      AddedToken token = longest(text, at, to);
      if (token == null) {
        at = nextFirst(text, at + 1, to);
        continue;
      }
      int start = at;
      int end = at + token.content.length();
      at = nextFirst(text, end, to);
      if (token.singleWord && besideWord(text, from, start, end, to)) {
        continue;
      }
      while (token.leftStrip && start > done && CharacterClasses.isWhiteSpace(text[start - 1])) {
        start--;
      }
      if (token.rightStrip) {
        if (end < spaceStart || end > spaceEnd) {
          spaceStart = end;
          spaceEnd = end;
          while (spaceEnd < to && CharacterClasses.isWhiteSpace(text[spaceEnd])) {
            spaceEnd++;
          }
        }
        end = spaceEnd;
      }
      if (done < start) {
        between.text(text, done, start);
      }
      ids.accept(token.id);
      done = end;
    }
    if (done < to) {
      between.text(text, done, to);
    }
  }

  /** The next place with a character that begins a token. */
  private int nextFirst(char[] text, int from, int to) {
    if (firsts.isEmpty()) {
      return to;
    }
    int at = from;
    while (at < to && !(text[at] < 128 ? asciiFirsts[text[at]] : firsts.get(text[at]))) {
      at++;
    }
    return at;
  }

  private @Nullable AddedToken longest(char[] text, int at, int to) {
    for (AddedToken token : byFirst.getOrDefault(text[at], List.of())) {
      if (isAt(text, at, to, token.content)) {
        return token;
      }
    }
    return null;
  }

  private static boolean isAt(char[] text, int at, int to, String content) {
    if (content.length() > to - at) {
      return false;
    }
    for (int i = 0; i < content.length(); i++) {
      if (content.charAt(i) != text[at + i]) {
        return false;
      }
    }
    return true;
  }

  private static boolean besideWord(char[] text, int from, int start, int end, int to) {
    return start > from && CharacterClasses.isWord(Character.codePointBefore(text, start, from))
        || end < to && CharacterClasses.isWord(Character.codePointAt(text, end, to));
  }
}
