package dev.qnext.text;

import static org.assertj.core.api.Assertions.assertThat;

import dev.qnext.fixtures.Golden;
import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** Streams against whole texts, on ids without sense. */
class TokenDecoderTest {
  private static final Tokenizer SMALL =
      Tokenizer.load(Golden.path("tokenizer/small_tokenizer.json"));

  @Test
  void joinsToTheDecodedText() {
    Random random = new Random(11);
    for (int round = 0; round < 20_000; round++) {
      int[] ids = randomIds(random, 1 + random.nextInt(20));
      boolean skipSpecial = random.nextBoolean();
      TokenDecoder decoder = SMALL.decoder(skipSpecial);
      StringBuilder joined = new StringBuilder();
      for (int id : ids) {
        String piece = decoder.accept(id);
        assertThat(hasLoneSurrogate(piece)).isFalse();
        joined.append(piece);
      }
      joined.append(decoder.finish());
      assertThat(joined.toString()).isEqualTo(SMALL.decode(ids, skipSpecial));
    }
  }

  /** The JDK's decoder is the same but for encoded surrogates: U+FFFD for all three bytes. */
  @Test
  void decodesMalformedBytesAsTheJdkDoes() {
    Random random = new Random(12);
    int malformed = 0;
    for (int round = 0; round < 50_000; round++) {
      int[] ids = randomIds(random, 1 + random.nextInt(8));
      ByteArrayOutputStream bytes = new ByteArrayOutputStream();
      for (int id : ids) {
        bytes.writeBytes(SMALL.bytes(id));
      }
      if (!hasEncodedSurrogate(bytes.toByteArray())) {
        String text = bytes.toString(StandardCharsets.UTF_8);
        assertThat(SMALL.decode(ids)).isEqualTo(text);
        malformed += text.contains("\uFFFD") ? 1 : 0;
      }
    }
    assertThat(malformed).isGreaterThan(10_000);
  }

  @Test
  void holdsBackWhatIsNotWhole() {
    int[] euro = SMALL.encode("€");
    assertThat(euro.length).isGreaterThan(1);
    TokenDecoder decoder = SMALL.decoder(false);
    for (int i = 0; i < euro.length - 1; i++) {
      assertThat(decoder.accept(euro[i])).isEmpty();
    }
    assertThat(decoder.accept(euro[euro.length - 1])).isEqualTo("€");
    assertThat(decoder.finish()).isEmpty();
  }

  @Test
  void canBeUsedAgainAfterTheEnd() {
    int[] euro = SMALL.encode("€");
    TokenDecoder decoder = SMALL.decoder(false);
    decoder.accept(euro[0]);
    assertThat(decoder.finish()).isEqualTo("\uFFFD");
    assertThat(decoder.finish()).isEmpty();
    assertThat(decoder.accept(SMALL.id("a").orElseThrow())).isEqualTo("a");
  }

  /** Half of the ids are single bytes above 0x7F, so that sequences begin, break and complete. */
  private static int[] randomIds(Random random, int length) {
    int[] ids = new int[length];
    for (int i = 0; i < length; i++) {
      if (random.nextBoolean()) {
        ids[i] = BYTES[0x80 + random.nextInt(0x80)];
      } else {
        ids[i] = random.nextInt(SMALL.size() + 5) - 2;
      }
    }
    return ids;
  }

  private static final int[] BYTES = new int[256];

  static {
    for (int id = 0; id < SMALL.size(); id++) {
      byte[] bytes = SMALL.bytes(id);
      if (bytes.length == 1) {
        BYTES[bytes[0] & 0xFF] = id;
      }
    }
  }

  private static boolean hasLoneSurrogate(String text) {
    return text.codePoints().anyMatch(c -> c >= 0xD800 && c <= 0xDFFF);
  }

  private static boolean hasEncodedSurrogate(byte[] bytes) {
    for (int i = 0; i + 1 < bytes.length; i++) {
      if ((bytes[i] & 0xFF) == 0xED && (bytes[i + 1] & 0xE0) == 0xA0) {
        return true;
      }
    }
    return false;
  }
}
