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
 */
record TokenizerPipeline(boolean nfc, PreTokenizer preTokenizer) {

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
    return new TokenizerPipeline(nfc, preTokenizer(root));
  }

  private static PreTokenizer preTokenizer(TokenizerNode root) {
    List<TokenizerNode> steps = steps(root, "pre_tokenizer", "pretokenizers");
    if (steps.isEmpty() || !steps.getLast().type().equals("ByteLevel")) {
      throw root.refusal("pre_tokenizer", "ByteLevel has to be the last of its steps");
    }
    List<PreTokenizer> cuts = new ArrayList<>();
    for (TokenizerNode step : steps.subList(0, steps.size() - 1)) {
      cuts.add(split(step));
    }
    TokenizerNode byteLevel = steps.getLast();
    if (byteLevel.flag("add_prefix_space")) {
      cuts.add(PreTokenizer.prefixSpace());
    }
    if (byteLevel.flag("use_regex", true)) {
      cuts.add(PreTokenizerRegex.isolating(PreTokenizerRegex.compile(PreTokenizerRegex.GPT2)));
    }
    return cuts.stream().reduce(PreTokenizer::then).orElse(PreTokenizer.whole());
  }

  private static PreTokenizer split(TokenizerNode node) {
    if (!node.type().equals("Split")) {
      throw node.refusal("type", "steps before ByteLevel are Split");
    }
    TokenizerNode source = node.child("pattern");
    boolean invert = node.flag("invert");
    boolean isolated = node.text("behavior").equals("Isolated");
    if (!isolated && !node.text("behavior").equals("Removed")) {
      throw node.refusal("behavior", "Isolated and Removed are");
    }
    if (isolated && source.has("Regex")) {
      switch (source.text("Regex")) {
        case PreTokenizerScanner.QWEN3 -> {
          return new PreTokenizerScanner(false);
        }
        case PreTokenizerScanner.QWEN35 -> {
          return new PreTokenizerScanner(true);
        }
        default -> {}
      }
    }
    Pattern pattern;
    try {
      pattern =
          source.has("Regex")
              ? PreTokenizerRegex.compile(source.text("Regex"))
              : PreTokenizerRegex.literal(source.text("String"));
    } catch (IllegalArgumentException e) {
      throw source.refusal("Regex", e.getMessage() + " is beyond the patterns that are understood");
    }
    return isolated
        ? PreTokenizerRegex.isolating(pattern)
        : PreTokenizerRegex.removing(pattern, invert);
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
