package dev.qnext.cli;

import static dev.qnext.cli.CliRun.run;
import static dev.qnext.cli.CliRun.runWith;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.qnext.fixtures.TextFolder;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * What a user sees of every kind of broken input: exit code 1, nothing on standard output, and one
 * sentence with the file, the value and what to do. The parsers' own tests have more cases.
 */
@Timeout(120)
class BadInputTest {
  private static final String SHARD = "model-00001-of-00003.safetensors";

  @TempDir private Path temp;

  private Path model = Path.of("");

  @BeforeEach
  void make() {
    model = TextFolder.make(temp.resolve("model"));
  }

  private Outcome answer(String... more) {
    List<String> words = new java.util.ArrayList<>();
    words.addAll(List.of("complete", "--backend", "reference", "-m", model.toString()));
    words.addAll(List.of("--temp", "0", "--max-tokens", "1", "--no-stats"));
    words.addAll(List.of(more));
    return run(words.toArray(String[]::new));
  }

  /** MODEL in the sentence stands for the folder. */
  private void refused(String sentence) {
    answer("x").failed(1, sentence.replace("MODEL", model.toString()));
  }

  private void replace(String file, String old, String text) throws IOException {
    Path path = model.resolve(file);
    String before = Files.readString(path);
    assertThat(before).contains(old);
    Files.writeString(path, before.replace(old, text));
  }

  /** Changes the header of the first shard, and leaves its data. */
  private void replaceInHeader(String old, String text) throws IOException {
    Path path = model.resolve(SHARD);
    ByteBuffer whole = ByteBuffer.wrap(Files.readAllBytes(path)).order(ByteOrder.LITTLE_ENDIAN);
    byte[] header = new byte[(int) whole.getLong()];
    whole.get(header);
    String before = new String(header, StandardCharsets.UTF_8);
    assertThat(before).contains(old);
    byte[] after = before.replace(old, text).getBytes(StandardCharsets.UTF_8);
    ByteBuffer changed =
        ByteBuffer.allocate(8 + after.length + whole.remaining()).order(ByteOrder.LITTLE_ENDIAN);
    Files.write(path, changed.putLong(after.length).put(after).put(whole).array());
  }

  @Test
  void theFolderIsSound() {
    answer("x").quiet();
  }

  // ------------------------------------------------------------------------------------- weights

  @Test
  void missingShard() throws IOException {
    Files.delete(model.resolve(SHARD));
    refused(
        "MODEL/%s is named in model.safetensors.index.json but is not there; the download is incomplete, so go on with it"
            .formatted(SHARD));
  }

  @Test
  void noWeightsAtAll() throws IOException {
    for (String name : List.of("00001", "00002", "00003")) {
      Files.delete(model.resolve(SHARD.replace("00001", name)));
    }
    Files.delete(model.resolve("model.safetensors.index.json"));
    refused("MODEL holds no model*.safetensors; the download is incomplete, so go on with it");
  }

  @Test
  void truncatedShard() throws IOException {
    byte[] whole = Files.readAllBytes(model.resolve(SHARD));
    Files.write(model.resolve(SHARD), java.util.Arrays.copyOf(whole, 5));
    refused(
        "MODEL/%s is not a valid safetensors file: it has 5 bytes, fewer than a header; download it again"
            .formatted(SHARD));
    Files.write(model.resolve(SHARD), java.util.Arrays.copyOf(whole, 1000));
    refused(
        "MODEL/%s is not a valid safetensors file: its header claims 8464 bytes and the file has 1000; download it again"
            .formatted(SHARD));
    Files.write(model.resolve(SHARD), java.util.Arrays.copyOf(whole, 100_000));
    refused(
        "MODEL/%s is not a valid safetensors file: model.embed_tokens.weight BF16 [512, 128] does not fit its place, bytes 0 to 131072 of 91528; download it again"
            .formatted(SHARD));
  }

  @Test
  void headerLengthOf2To63() throws IOException {
    byte[] whole = Files.readAllBytes(model.resolve(SHARD));
    ByteBuffer.wrap(whole).order(ByteOrder.LITTLE_ENDIAN).putLong(Long.MIN_VALUE);
    Files.write(model.resolve(SHARD), whole);
    refused(
        "MODEL/%s is not a valid safetensors file: its header claims 9223372036854775808 bytes and the file has %d; download it again"
            .formatted(SHARD, whole.length));
  }

  @Test
  void overlappingTensors() throws IOException {
    replaceInHeader("\"data_offsets\":[131072,131328]", "\"data_offsets\":[131070,131326]");
    refused(
        "MODEL/%s is not a valid safetensors file: model.embed_tokens.weight and model.layers.0.input_layernorm.weight share 2 bytes, the first at 131070; download it again"
            .formatted(SHARD));
  }

  @Test
  void aHugeTensorInASmallFile() throws IOException {
    replaceInHeader("\"shape\":[512,128]", "\"shape\":[9000000000,9000000000]");
    refused(
        "MODEL/%s is not a valid safetensors file: model.embed_tokens.weight BF16 [9000000000, 9000000000] does not fit its place, bytes 0 to 131072 of 1291680; download it again"
            .formatted(SHARD));
  }

  @Test
  void aHeaderThatIsNoJson() throws IOException {
    replaceInHeader("{\"__metadata__\":", "{'__metadata__':");
    assertThat(answer("x").err())
        .startsWith(
            "qnext: %s is not a valid safetensors file: its header is not valid JSON: "
                .formatted(model.resolve(SHARD)))
        .endsWith("; download it again\n")
        .hasLineCount(1);
  }

  @Test
  void wrongShape() throws IOException {
    replaceInHeader("\"shape\":[512,128]", "\"shape\":[256,256]");
    refused(
        "model.embed_tokens.weight in MODEL/%s has the shape [256, 256] but config.json makes it [512, 128]; download both again"
            .formatted(SHARD));
  }

  @Test
  void wrongType() throws IOException {
    replaceInHeader(
        "\"model.embed_tokens.weight\":{\"dtype\":\"BF16\"",
        "\"model.embed_tokens.weight\":{\"dtype\":\"I16\"");
    refused(
        "model.embed_tokens.weight in MODEL/%s is I16, but plain weights must be F32, F16 or BF16; use an MLX conversion or the bf16 weights"
            .formatted(SHARD));
  }

  @Test
  void unknownType() throws IOException {
    replaceInHeader(
        "\"model.embed_tokens.weight\":{\"dtype\":\"BF16\"",
        "\"model.embed_tokens.weight\":{\"dtype\":\"F4\"");
    refused(
        "MODEL/%s is not a valid safetensors file: model.embed_tokens.weight has the unknown dtype F4; download it again"
            .formatted(SHARD));
  }

  @Test
  void missingTensor() throws IOException {
    replaceInHeader("\"model.embed_tokens.weight\":", "\"model.embed_tokens.other\":");
    refused(
        "MODEL has no tensor model.embed_tokens.weight, which config.json asks for; download the model again");
  }

  @Test
  void anIndexThatLeavesTheFolder() throws IOException {
    replace("model.safetensors.index.json", "\"" + SHARD + "\"", "\"../x.safetensors\"");
    refused(
        "MODEL/model.safetensors.index.json: \"weight_map\" names \"../x.safetensors\", which is no safetensors file of this folder; download it again");
  }

  // -------------------------------------------------------------------------------------- config

  @Test
  void noConfig() throws IOException {
    Files.delete(model.resolve("config.json"));
    refused(
        "MODEL is no model folder: it has no config.json; give another, or download the model again");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '\0',
      value = {
        "\"model_type\": \"qwen3_next\" | \"model_type\": \"llama\" | MODEL is of the type \"llama\", which is not supported; supported: qwen3_next",
        "\"hidden_size\": 128 | \"hidden_size\": -1 | MODEL/config.json: \"hidden_size\" is -1 but must be a whole number from 1 to 2147483647",
        "\"hidden_size\": 128 | \"hidden_size\": 1.5 | MODEL/config.json: \"hidden_size\" is 1.5 but must be a whole number from 1 to 2147483647",
        "\"hidden_size\": 128 | \"hidden_size\": 999999999999999999999 | MODEL/config.json: \"hidden_size\" is 999999999999999999999 but must be a whole number from 1 to 2147483647",
        "\"hidden_size\": 128, | | MODEL/config.json lacks \"hidden_size\"",
        "\"num_hidden_layers\": 4 | \"num_hidden_layers\": 1000000000 | MODEL/config.json: \"num_hidden_layers\" is 1000000000 but must be at most 4096",
        "\"num_key_value_heads\": 2 | \"num_key_value_heads\": 3 | MODEL/config.json: \"num_key_value_heads\" is 3 but must be a divisor of num_attention_heads 4",
        "\"hidden_act\": \"silu\" | \"hidden_act\": \"gelu\" | MODEL/config.json: \"hidden_act\" is \"gelu\" but must be \"silu\"",
        "\"vocab_size\": 512 | \"vocab_size\": 512, \"quantization\": {\"mode\": \"nf4\"} | MODEL/config.json: \"quantization.mode\" is \"nf4\" but must be affine, mxfp4, mxfp8 or nvfp4",
        "\"vocab_size\": 512 | \"vocab_size\": 512, \"quantization_config\": {\"quant_method\": \"awq\"} | MODEL/config.json asks for the quantization method \"awq\", which is not supported; use an MLX conversion or the bf16 weights",
      })
  void config(String old, String text, String sentence) throws IOException {
    replace("config.json", old, text == null ? "" : text);
    refused(sentence);
  }

  @Test
  void generationConfig() throws IOException {
    replace("generation_config.json", "\"top_p\": 0.8", "\"top_p\": 8");
    refused("MODEL/generation_config.json: top-p is 8.0 but must be above 0 and at most 1");
  }

  @Test
  void configThatIsNoJson() throws IOException {
    replace("config.json", "\"hidden_size\": 128,", "\"hidden_size\": 128");
    assertThat(answer("x").err())
        .matches(
            "qnext: configuration is not valid JSON: .*config.json: .* \\(line 14, .*\\); correct it or download it again\n");
  }

  // ----------------------------------------------------------------------------------- tokenizer

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '\0',
      value = {
        "\"h e\" | \"h qq\" | MODEL/tokenizer.json: model.merges[1] joins 'h' and 'qq', but model.vocab lacks one of them or the whole; download it again",
        "\"h e\" | \"he\" | MODEL/tokenizer.json: model.merges[1] is not two tokens in the byte-level alphabet; only byte-level BPE is supported",
        "\"he\":257 | \"he\":256 | MODEL/tokenizer.json: model.vocab has the id 256 or its token twice; download it again",
        "\"he\":257 | \"he\":99999999 | MODEL/tokenizer.json: model.vocab has the id 99999999; the limit is 4194303",
        "\"type\": \"BPE\" | \"type\": \"Unigram\" | MODEL/tokenizer.json: model.type = Unigram is not supported: only BPE is",
        "\"id\": 510 | \"id\": 509 | MODEL/tokenizer.json: the added token \"<!im_start!>\" or its id 509 comes twice; download it again",
      })
  void tokenizer(String old, String text, String sentence) throws IOException {
    replace("tokenizer.json", old, text);
    refused(sentence.replace('!', '|'));
  }

  @Test
  void tokenizerThatIsCut() throws IOException {
    byte[] whole = Files.readAllBytes(model.resolve("tokenizer.json"));
    int entry = new String(whole, StandardCharsets.ISO_8859_1).indexOf("\"he\":257");
    Files.write(model.resolve("tokenizer.json"), java.util.Arrays.copyOf(whole, entry + 2));
    refused(
        "MODEL/tokenizer.json is not valid JSON: the end of a string is missing at byte %d; download it again"
            .formatted(entry + 2));
  }

  // ------------------------------------------------------------------------------------ template

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '\0',
      value = {
        "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %} | the chat template fails on this chat: the template takes more than 10000000 steps (MODEL/chat_template.jinja, line 1)",
        "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }} | the chat template fails on this chat: the template is nested or calls itself too deeply (MODEL/chat_template.jinja, line 1)",
        "{{ person.name }} | the chat template fails on this chat: 'person' is undefined (MODEL/chat_template.jinja, line 1)",
        "{{ raise_exception('No system message') }} | the chat template refuses this chat: No system message (MODEL/chat_template.jinja, line 1)",
        "{% if %} | the chat template is not valid: Expected an expression, got 'end of statement block' (MODEL/chat_template.jinja, line 1)",
      })
  void template(String source, String sentence) throws IOException {
    Files.writeString(model.resolve("chat_template.jinja"), source);
    run("chat", "--backend", "reference", "-m", model.toString(), "Hello")
        .failed(1, sentence.replace("MODEL", model.toString()));
  }

  @Test
  void noTemplate() throws IOException {
    Files.delete(model.resolve("chat_template.jinja"));
    run("chat", "-m", model.toString(), "Hello")
        .failed(
            1,
            "the model has no chat template: neither chat_template.jinja nor chat_template.json nor a \"chat_template\" in tokenizer_config.json in %s; use `qnext complete`, which needs none, or put a template there"
                .formatted(model));
  }

  // -------------------------------------------------------------------------------------- prompt

  @Test
  void inputThatIsNotUtf8() {
    byte[] latin1 = "caf\u00e9 \u00e0 la cr\u00e8me, \ufffd".getBytes(StandardCharsets.ISO_8859_1);
    latin1[latin1.length - 1] = 'x';
    runWith(latin1, "tokens", "-m", model.toString())
        .done()
        .saying(
            "qnext: standard input is not valid UTF-8 in 3 places, replaced by U+FFFD; convert it with iconv\n");
    // The character itself is text as any other.
    runWith("\ufffd\ufffd", "tokens", "-m", model.toString()).quiet();
    byte[] both = {'a', (byte) 0xE9, (byte) 0xEF, (byte) 0xBF, (byte) 0xBD};
    runWith(both, "tokens", "-m", model.toString())
        .done()
        .saying(
            "qnext: standard input is not valid UTF-8 in 1 place, replaced by U+FFFD; convert it with iconv\n");
  }

  @Test
  void aPromptLongerThanTheContext() throws IOException {
    replace("config.json", "\"max_position_embeddings\": 4096", "\"max_position_embeddings\": 64");
    answer("x ".repeat(50))
        .failed(
            1,
            "the prompt has 100 tokens, but the context holds 64 including the answer; shorten the prompt or start a new conversation");
  }

  // --------------------------------------------------------------------------------------- usage

  @Test
  void usage() {
    run("chat", "-m", model.toString(), "--temp", "-1", "x")
        .failed(2, "temperature is -1.0 but must be at least 0");
    run("chat", "-m", model.toString(), "--temperatur", "1", "x")
        .failed(2, "there is no option --temperatur; did you mean --temp?");
  }

  // ------------------------------------------------------------------------------ the machine

  private Outcome process(Map<String, String> environment, List<String> java, String... args)
      throws IOException, InterruptedException {
    return CliProcess.run(environment, java, args);
  }

  /** What can be made again is kept at home; without a home it is made every time. */
  @Test
  void aHomeThatCannotBeWritten() throws IOException, InterruptedException {
    Path file = Files.writeString(temp.resolve("file"), "");
    for (Path home : List.of(file.resolve("home"), temp.resolve("none/none"), Path.of("/proc"))) {
      Map<String, String> environment =
          Map.of(
              "HOME",
              home.toString(),
              "XDG_CACHE_HOME",
              "",
              "XDG_CONFIG_HOME",
              "",
              "TMPDIR",
              "/none");
      process(
              environment,
              List.of(),
              "complete",
              "-m",
              model.toString(),
              "--max-tokens",
              "1",
              "--no-stats",
              "x")
          .quiet();
    }
  }

  @Test
  void aDiskThatIsFull() throws IOException, InterruptedException {
    Path file = temp.resolve("logits.safetensors");
    List<String> words =
        CliProcess.command(
            List.of(),
            "score",
            "--backend",
            "reference",
            "-m",
            model.toString(),
            "--logits",
            file.toString(),
            "word ".repeat(50));
    List<String> shell =
        new java.util.ArrayList<>(List.of("bash", "-c", "ulimit -f 64; exec \"$@\"", "-"));
    shell.addAll(words);
    try (CliProcess process = CliProcess.start(Map.of(), shell, true)) {
      process.endInput();
      process.end().failed(1, "cannot write %s: File too large".formatted(file));
    }
    assertThat(file).doesNotExist();
    assertThat(temp.resolve("logits.safetensors.partial")).doesNotExist();
  }

  @Test
  void noMemory() throws IOException, InterruptedException {
    Outcome outcome;
    try (CliProcess process =
        CliProcess.start(
            Map.of(),
            List.of("-Xmx12m"),
            "complete",
            "-m",
            model.toString(),
            "--max-tokens",
            "1")) {
      assertThatThrownBy(() -> process.type("word ".repeat(4_000_000)))
          .describedAs("it has given up reading")
          .isInstanceOf(IOException.class);
      outcome = process.end();
    }
    outcome.failed(
        1, "standard input is too large for the memory of this program; give it in smaller parts");
    outcome =
        process(
            Map.of(),
            List.of("-Xmx12m"),
            "score",
            "-m",
            model.toString(),
            "--backend",
            "reference",
            "--logits",
            temp.resolve("logits.safetensors").toString(),
            "word ".repeat(700));
    outcome.failed(
        1,
        "there is not enough memory (Java heap space); use a smaller model or prompt, or give Java more with QNEXT_JAVA_OPTS=-Xmx8g");
  }

  // --------------------------------------------------------------------------------------- debug

  @Test
  void debugShowsWhere() throws IOException {
    Files.delete(model.resolve(SHARD));
    Outcome outcome = answer("--debug", "x");
    assertThat(outcome.exit()).isEqualTo(1);
    assertThat(outcome.out()).isEmpty();
    assertThat(outcome.err())
        .startsWith("dev.qnext.QnextException: %s is named in".formatted(model.resolve(SHARD)))
        .contains("\tat dev.qnext.checkpoint.Checkpoint.");
  }
}
