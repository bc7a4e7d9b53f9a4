package dev.qnext.text;

import java.util.ArrayList;
import java.util.BitSet;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
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
  }

  private final Map<Character, List<AddedToken>> byFirst = new HashMap<>();
  private final BitSet firsts = new BitSet();

  AddedTokens(List<AddedToken> tokens) {
    for (AddedToken token : tokens) {
      char first = token.content.charAt(0);
      byFirst.computeIfAbsent(first, c -> new ArrayList<>()).add(token);
      firsts.set(first);
    }
    for (List<AddedToken> list : byFirst.values()) {
      list.sort(Comparator.comparingInt((AddedToken token) -> token.content.length()).reversed());
    }
  }

  /**
   * Cuts the text into added tokens, as ids, and what lies between them, in their order. White
   * space that a token takes along on its right is still searched for tokens, as the reference
   * does.
   */
  void split(String text, Consumer<String> between, IntConsumer ids) {
    int done = 0;
    int at = 0;
    // White space that was looked through, so that this is not done again from each place in it.
    int spaceStart = 0;
    int spaceEnd = -1;
    while (at < text.length()) {
      AddedToken token = firsts.get(text.charAt(at)) ? longest(text, at) : null;
      if (token == null) {
        at++;
        continue;
      }
      int start = at;
      int end = at + token.content.length();
      at = end;
      if (token.singleWord && besideWord(text, start, end)) {
        continue;
      }
      while (token.leftStrip
          && start > done
          && CharacterClasses.isWhiteSpace(text.charAt(start - 1))) {
        start--;
      }
      if (token.rightStrip) {
        if (end < spaceStart || end > spaceEnd) {
          spaceStart = end;
          spaceEnd = end;
          while (spaceEnd < text.length() && CharacterClasses.isWhiteSpace(text.charAt(spaceEnd))) {
            spaceEnd++;
          }
        }
        end = spaceEnd;
      }
      if (done < start) {
        between.accept(text.substring(done, start));
      }
      ids.accept(token.id);
      done = end;
    }
    if (done < text.length()) {
      between.accept(text.substring(done));
    }
  }

  private @Nullable AddedToken longest(String text, int at) {
    for (AddedToken token : byFirst.getOrDefault(text.charAt(at), List.of())) {
      if (text.startsWith(token.content, at)) {
        return token;
      }
    }
    return null;
  }

  private static boolean besideWord(String text, int start, int end) {
    return start > 0 && CharacterClasses.isWord(text.codePointBefore(start))
        || end < text.length() && CharacterClasses.isWord(text.codePointAt(end));
  }
}
