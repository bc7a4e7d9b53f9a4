package dev.qnext.text;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * What a tokenizer.json says beside its model: which normalizer and which pre-tokenizer. Everything
 * that would change ids or text in a way that is not implemented is refused.
 *
 * @param nfc whether text is normalized to NFC
 * @param splits what the text is cut by, one after the other
 * @param prefixSpace whether a space is then put before each part
 * @param gpt2 whether parts are then cut by {@link PreTokenizerRegex#GPT2}
 */
record TokenizerPipeline(boolean nfc, List<Split> splits, boolean prefixSpace, boolean gpt2) {
  /**
   * One cut.
   *
   * @param pattern a regular expression, or plain text
   * @param isolated pieces are the matches and what lies between them; otherwise only the latter
   * @param invert the matches and what lies between them change places
   */
  record Split(String pattern, boolean regex, boolean isolated, boolean invert) {
    /**
     * @throws IllegalArgumentException with the construct that is not supported
     */
    PreTokenizer preTokenizer() {
      if (isolated && regex && pattern.equals(PreTokenizerScanner.QWEN3)) {
        return new PreTokenizerScanner(false);
      }
      if (isolated && regex && pattern.equals(PreTokenizerScanner.QWEN35)) {
        return new PreTokenizerScanner(true);
      }
      Pattern compiled =
          regex ? PreTokenizerRegex.compile(pattern) : PreTokenizerRegex.literal(pattern);
      return isolated
          ? PreTokenizerRegex.isolating(compiled)
          : PreTokenizerRegex.removing(compiled, invert);
    }
  }

  static TokenizerPipeline restore(FlatReader in) {
    boolean nfc = in.flag();
    boolean prefixSpace = in.flag();
    boolean gpt2 = in.flag();
    List<Split> splits = new ArrayList<>();
    for (int i = in.number(); i > 0; i--) {
      splits.add(new Split(in.text(), in.flag(), in.flag(), in.flag()));
    }
    return new TokenizerPipeline(nfc, splits, prefixSpace, gpt2);
  }

  void save(FlatWriter out) {
    out.flag(nfc);
    out.flag(prefixSpace);
    out.flag(gpt2);
    out.number(splits.size());
    for (Split split : splits) {
      out.text(split.pattern);
      out.flag(split.regex);
      out.flag(split.isolated);
      out.flag(split.invert);
    }
  }

  PreTokenizer preTokenizer() {
    List<PreTokenizer> cuts = new ArrayList<>();
    for (Split split : splits) {
      cuts.add(split.preTokenizer());
    }
    if (prefixSpace) {
      cuts.add(PreTokenizer.prefixSpace());
    }
    if (gpt2) {
      cuts.add(PreTokenizerRegex.isolating(PreTokenizerRegex.compile(PreTokenizerRegex.GPT2)));
    }
    PreTokenizer all = cuts.isEmpty() ? PreTokenizer.whole() : cuts.getFirst();
    for (int i = 1; i < cuts.size(); i++) {
      all = all.then(cuts.get(i));
    }
    return all;
  }

  /** Reads the members of the file's object. */
  static TokenizerPipeline of(String file, Map<String, @Nullable Object> members) {
    TokenizerNode root = new TokenizerNode(file, "", members);
    for (TokenizerNode processor : steps(root, "post_processor", "processors")) {
      if (!processor.type().equals("ByteLevel")) {
        throw processor.refusal("type", "chat templates write such tokens themselves; remove it");
      }
    }
    List<TokenizerNode> decoders = steps(root, "decoder", "decoders");
    if (decoders.size() != 1 || !decoders.getFirst().type().equals("ByteLevel")) {
      throw root.refusal("decoder", "one ByteLevel decoder is needed");
    }
    boolean nfc = false;
    for (TokenizerNode normalizer : steps(root, "normalizer", "normalizers")) {
      if (!normalizer.type().equals("NFC")) {
        throw normalizer.refusal("type", "the normalizer is NFC or null");
      }
      nfc = true;
    }
    List<TokenizerNode> cuts = steps(root, "pre_tokenizer", "pretokenizers");
    if (cuts.isEmpty() || !cuts.getLast().type().equals("ByteLevel")) {
      throw root.refusal("pre_tokenizer", "ByteLevel has to be the last of its steps");
    }
    List<Split> splits = new ArrayList<>();
    for (TokenizerNode cut : cuts.subList(0, cuts.size() - 1)) {
      splits.add(split(cut));
    }
    TokenizerNode byteLevel = cuts.getLast();
    return new TokenizerPipeline(
        nfc, splits, byteLevel.flag("add_prefix_space"), byteLevel.flag("use_regex", true));
  }

  private static Split split(TokenizerNode node) {
    if (!node.type().equals("Split")) {
      throw node.refusal("type", "steps before ByteLevel are Split");
    }
    TokenizerNode source = node.child("pattern");
    boolean invert = node.flag("invert");
    boolean isolated = node.text("behavior").equals("Isolated");
    if (!isolated && !node.text("behavior").equals("Removed")) {
      throw node.refusal("behavior", "Isolated and Removed are");
    }
    boolean regex = source.has("Regex");
    Split split = new Split(source.text(regex ? "Regex" : "String"), regex, isolated, invert);
    try {
      split.preTokenizer();
    } catch (IllegalArgumentException e) {
      throw source.refusal("Regex", e.getMessage() + " is beyond the patterns that are understood");
    }
    return split;
  }

  /** A member's steps: those of a Sequence, the member itself, or none where it is null. */
  private static List<TokenizerNode> steps(TokenizerNode parent, String name, String items) {
    return parent.has(name) ? flat(parent.child(name), items) : List.of();
  }

  private static List<TokenizerNode> flat(TokenizerNode node, String items) {
    if (!node.type().equals("Sequence")) {
      return List.of(node);
    }
    List<TokenizerNode> steps = new ArrayList<>();
    for (TokenizerNode child : node.children(items)) {
      steps.addAll(flat(child, items));
    }
    return steps;
  }
}
