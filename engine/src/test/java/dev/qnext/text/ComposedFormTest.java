package dev.qnext.text;

import static org.assertj.core.api.Assertions.assertThat;

import java.text.Normalizer;
import java.util.BitSet;
import org.junit.jupiter.api.Test;

/** The ranges that are taken as composed, against the JDK's data for every character. */
class ComposedFormTest {
  /** Those that NFC may change, alone or beside others. */
  private static final BitSet CHANGING = changing();

  private static BitSet changing() {
    BitSet changing = new BitSet();
    for (int c = 0; c <= Character.MAX_CODE_POINT; c++) {
      if (c >= Character.MIN_SURROGATE && c <= Character.MAX_SURROGATE) {
        continue;
      }
      String s = Character.toString(c);
      if (!nfc(s).equals(s)) {
        changing.set(c);
      }
      // What follows the first character of a decomposition may compose with one before it.
      Normalizer.normalize(s, Normalizer.Form.NFD).codePoints().skip(1).forEach(changing::set);
      // A character with a combining class changes places with one of class 1 or of class 240.
      String before = "a\u0345" + s;
      String after = "a" + s + "\u0334";
      if (!nfc(before).equals(before) || !nfc(after).equals(after)) {
        changing.set(c);
      }
    }
    return changing;
  }

  @Test
  void takesNoCharacterAsComposedThatNfcMayChange() {
    assertThat(CHANGING.cardinality()).isGreaterThan(2000);
    int certain = 0;
    for (int c = 0; c <= Character.MAX_CODE_POINT; c++) {
      if (c < Character.MIN_SURROGATE || c > Character.MAX_SURROGATE) {
        char[] text = Character.toChars(c);
        if (ComposedForm.isCertain(text, 0, text.length)) {
          assertThat(CHANGING.get(c)).as("U+%04X", c).isFalse();
          assertThat(Character.getType(c))
              .as("U+%04X", c)
              .isNotEqualTo((int) Character.NON_SPACING_MARK);
          certain++;
        }
      }
    }
    assertThat(certain).isGreaterThan(100_000);
  }

  @Test
  void looksAtTheGivenPlacesOnly() {
    char[] text = "a\u0301b中🙂".toCharArray();
    assertThat(ComposedForm.isCertain(text, 0, 2)).isFalse();
    assertThat(ComposedForm.isCertain(text, 2, text.length)).isTrue();
    assertThat(ComposedForm.isCertain(text, 0, 1)).isTrue();
  }

  private static String nfc(String text) {
    return Normalizer.normalize(text, Normalizer.Form.NFC);
  }
}
