package dev.qnext.text;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;

import dev.qnext.fixtures.Golden;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** The encoder against the definition, written as a loop over all pairs. */
class BytePairEncoderTest {
  private static final String LETTERS = "  \n\t'aabcdeeeinorstTHE019.-=<éöж中文한🙂👍";

  static List<TokenizerTables> tables() {
    return List.of(
        TokenizerFile.read(Golden.path("tokenizer/small_tokenizer.json")),
        TokenizerFile.read(Golden.path("tokenizer/small_tokenizer_old_format.json")),
        TokenizerFile.read(TokenizerRealVocabulary.file()));
  }

  @ParameterizedTest
  @MethodSource("tables")
  void mergesAsTheDefinitionSays(TokenizerTables tables) {
    BytePairModel model = tables.model();
    Random random = new Random(21);
    for (int round = 0; round < 5_000; round++) {
      String piece = randomPiece(random, 1 + random.nextInt(round % 50 == 0 ? 400 : 30));
      BytePairEncoder encoder = new BytePairEncoder(model);
      encoder.piece(piece.toCharArray(), 0, piece.length());
      assertThat(encoder.ids()).as(piece).isEqualTo(byDefinition(model, piece));
    }
  }

  @Test
  void gives100PiecesInARowTheSameIdsAsEachAlone() {
    BytePairModel model = tables().getFirst().model();
    Random random = new Random(22);
    BytePairEncoder together = new BytePairEncoder(model);
    List<Integer> alone = new ArrayList<>();
    for (int i = 0; i < 100; i++) {
      // A piece does not cut a surrogate pair.
      String text = randomPiece(random, 200).replaceAll("[🙂👍]", "x").repeat(2);
      together.piece(text.toCharArray(), 10, 10 + i);
      String piece = text.substring(10, 10 + i);
      for (int id : byDefinition(model, piece)) {
        alone.add(id);
      }
      together.id(-i);
      alone.add(-i);
    }
    assertThat(together.ids()).containsExactly(alone.stream().mapToInt(id -> id).toArray());
  }

  /** More different pieces than are remembered, twice: it forgets, and remembers nothing wrong. */
  @Test
  void gives80000PiecesTheSameIdsAsWithoutAMemory() {
    BytePairModel model = tables().getLast().model();
    PieceMerger merger = new PieceMerger(model);
    BytePairEncoder encoder = new BytePairEncoder(model);
    for (int round = 0; round < 2; round++) {
      Random random = new Random(23);
      for (int i = 0; i < 80_000; i++) {
        String piece = randomPiece(random, 3 + random.nextInt(20));
        byte[] bytes = piece.getBytes(StandardCharsets.UTF_8);
        int[] ids = new int[bytes.length];
        int count = merger.merge(bytes, bytes.length, ids, 0);
        encoder.begin(0);
        encoder.piece(piece.toCharArray(), 0, piece.length());
        assertThat(encoder.ids()).as(piece).isEqualTo(Arrays.copyOf(ids, count));
      }
    }
  }

  /** Words of Aa and BB have one hash in Java's manner of hashing; 130,000 take no minutes. */
  @Test
  void encodesWordsThatAreMadeToCollide() {
    BytePairModel model = tables().getLast().model();
    PieceMerger merger = new PieceMerger(model);
    BytePairEncoder encoder = new BytePairEncoder(model);
    for (int i = 0; i < 1 << 17; i++) {
      StringBuilder word = new StringBuilder();
      for (int bit = 0; bit < 14; bit++) {
        word.append((i >> bit & 1) == 0 ? "Aa" : "BB");
      }
      byte[] bytes = word.toString().getBytes(StandardCharsets.UTF_8);
      int[] ids = new int[bytes.length];
      int count = merger.merge(bytes, bytes.length, ids, 0);
      encoder.begin(0);
      encoder.piece(word.toString().toCharArray(), 0, word.length());
      assertThat(encoder.ids()).isEqualTo(Arrays.copyOf(ids, count));
    }
  }

  /** A million equal letters are one piece: the loop of the definition would take days. */
  @Test
  void encodesALongPieceInReasonableTime() {
    Tokenizer tokenizer = Tokenizer.load(TokenizerRealVocabulary.file());
    for (String letter : List.of("a", " ", "=", "\n", "中")) {
      String text = letter.repeat(1 << 20);
      int[] ids = assertTimeoutPreemptively(Duration.ofSeconds(60), () -> tokenizer.encode(text));
      assertThat(tokenizer.decode(ids)).isEqualTo(text);
    }
  }

  private static String randomPiece(Random random, int length) {
    StringBuilder piece = new StringBuilder();
    int[] letters = LETTERS.codePoints().toArray();
    while (piece.length() < length) {
      piece.appendCodePoint(letters[random.nextInt(letters.length)]);
    }
    return piece.toString();
  }

  static int[] byDefinition(BytePairModel model, String piece) {
    List<Integer> ids = new ArrayList<>();
    for (byte b : piece.getBytes(StandardCharsets.UTF_8)) {
      ids.add(model.id(b));
    }
    while (true) {
      int best = -1;
      int bestRank = BytePairMerges.NONE;
      for (int i = 0; i + 1 < ids.size(); i++) {
        int rank = model.merges().rank(ids.get(i), ids.get(i + 1));
        if (rank < bestRank) {
          best = i;
          bestRank = rank;
        }
      }
      if (best < 0) {
        return ids.stream().mapToInt(id -> id).toArray();
      }
      ids.remove(best + 1);
      ids.set(best, model.merges().result(bestRank));
    }
  }
}
