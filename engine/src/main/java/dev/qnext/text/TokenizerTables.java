package dev.qnext.text;

import dev.qnext.text.AddedTokens.AddedToken;
import java.util.ArrayList;
import java.util.List;

/**
 * All that a tokenizer.json says, checked, in the form in which it is used.
 *
 * @param model vocabulary and merges
 * @param addedTokens those with content
 * @param pipeline normalizer and pre-tokenizer
 */
record TokenizerTables(
    BytePairModel model, List<AddedToken> addedTokens, TokenizerPipeline pipeline) {

  static TokenizerTables restore(FlatReader in) {
    TokenizerPipeline pipeline = TokenizerPipeline.restore(in);
    List<AddedToken> tokens = new ArrayList<>();
    for (int i = in.number(); i > 0; i--) {
      tokens.add(AddedToken.restore(in));
    }
    return new TokenizerTables(BytePairModel.restore(in), tokens, pipeline);
  }

  void save(FlatWriter out) {
    pipeline.save(out);
    out.number(addedTokens.size());
    for (AddedToken token : addedTokens) {
      token.save(out);
    }
    model.save(out);
  }
}
