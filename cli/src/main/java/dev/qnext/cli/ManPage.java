package dev.qnext.cli;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import picocli.CommandLine;
import picocli.CommandLine.Help.Ansi;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;
import picocli.CommandLine.Model.PositionalParamSpec;

/**
 * The manual page qnext(1) in roff with the macros of man(7), from the model of all commands.
 *
 * <pre>
 * .TH title   .SH section   .SS part   .PP paragraph   .TP the next line, then its text indented
 * .B bold     .I italic     .nf .fi no filling         .RS .RE indented
 * \\-  a hyphen of an option      \\e  a backslash      \\&amp;  before a point or ' that begins a line
 * </pre>
 */
final class ManPage {
  /** Those of every command, told once. */
  private static final List<String> COMMON = List.of("--help", "--version", "--debug");

  private final CommandSpec all;
  private final StringBuilder out = new StringBuilder();

  /** Options that are described already, and the command where. */
  private final Map<String, String> told = new HashMap<>();

  /**
   * @param all the command that holds the others
   */
  ManPage(CommandSpec all) {
    this.all = all;
  }

  String roff() {
    out.setLength(0);
    told.clear();
    line(".\\\" Made by 'qnext man'.");
    line(".TH QNEXT 1 \"\" \"%s\" \"User Commands\"".formatted(escape(all.version()[0])));
    section("NAME");
    line("qnext \\- run Qwen3\\-Next models in a terminal and in shell pipelines");
    section("SYNOPSIS");
    line(".B qnext");
    line(".I COMMAND");
    line("[\\fIOPTION\\fR...] [\\fIARGUMENT\\fR]");
    description();
    section("COMMANDS");
    for (CommandLine command : all.subcommands().values()) {
      command(command.getCommandSpec());
    }
    section("OPTIONS");
    text("Of every command:");
    all.options().forEach(this::option);
    exitStatus();
    environment();
    files();
    examples();
    return out.toString();
  }

  private void description() {
    section("DESCRIPTION");
    text(
        "Answers go to standard output and nothing else does; progress, statistics and warnings go"
            + " to standard error. With a prompt, or where either end is no terminal, a command"
            + " answers once and ends. Standard input, a blank line and the argument make the"
            + " prompt.");
    paragraph(
        "The model is the one of --model, else of QNEXT_MODEL, else the one that 'qnext use'"
            + " remembers, else the bundled demonstration. A model is a folder, or a name that"
            + " 'qnext list' shows, with or without its organization.");
  }

  private void command(CommandSpec spec) {
    StringBuilder synopsis = new StringBuilder(spec.name());
    for (PositionalParamSpec parameter : spec.positionalParameters()) {
      String label = parameter.paramLabel();
      synopsis.append(' ').append(parameter.arity().min() == 0 ? "[" + label + "]" : label);
    }
    line(".SS qnext " + escape(synopsis.toString()));
    String[] description = spec.usageMessage().description();
    for (int i = 0; i < description.length; i++) {
      if (i > 0) {
        line(".PP");
      }
      text(plain(description[i]));
    }
    spec.positionalParameters().forEach(this::parameter);
    Map<String, List<String>> asBefore = new LinkedHashMap<>();
    for (OptionSpec option : spec.options()) {
      if (option.hidden() || COMMON.contains(option.longestName())) {
        continue;
      }
      String key = String.join(" ", option.names()) + String.join(" ", option.description());
      String first = told.putIfAbsent(key, spec.name());
      if (first == null) {
        option(option);
      } else {
        asBefore.computeIfAbsent(first, name -> new ArrayList<>()).add(names(option));
      }
    }
    asBefore.forEach((first, names) -> {
      line(".PP");
      line("As of \\fB%s\\fR: %s.".formatted(escape(first), String.join(", ", names)));
    });
  }

  private void parameter(PositionalParamSpec parameter) {
    line(".TP");
    line("\\fI%s\\fR".formatted(escape(parameter.paramLabel())));
    text(plain(String.join(" ", parameter.description())));
  }

  private void option(OptionSpec option) {
    String value =
        option.arity().max() == 0 ? "" : "=\\fI%s\\fR".formatted(escape(option.paramLabel()));
    line(".TP");
    line(names(option) + value);
    text(plain(String.join(" ", option.description())));
  }

  private static String names(OptionSpec option) {
    List<String> names = new ArrayList<>();
    for (String name : option.names()) {
      boolean negatable = option.negatable() && name.startsWith("--");
      names.add("\\fB%s\\fR".formatted(escape(negatable ? "--[no-]" + name.substring(2) : name)));
    }
    return String.join(", ", names);
  }

  private void exitStatus() {
    section("EXIT STATUS");
    term("0", "Done. A closed pipe ends it quietly too.");
    term("1", "Failed; standard error says why in one sentence.");
    term("2", "Wrong usage.");
    term("130", "Interrupted.");
  }

  private void environment() {
    section("ENVIRONMENT");
    term("QNEXT_MODEL", "The model, as a folder or a name.");
    term("QNEXT_MODELS", "Folders with models, with ':' between them, beside ~/models.");
    term(
        "HF_HUB_CACHE, HF_HOME",
        "Where the cache of Hugging Face's hub is. Default: ~/.cache/huggingface/hub.");
    term("QNEXT_MLX", "A folder with the libraries of MLX, in place of that of install-mlx.");
    term("QNEXT_JAVA_HOME", "The JDK to use, before all other places.");
    term("QNEXT_JAVA_OPTS", "More options for Java, with blanks between them.");
    term("QNEXT_AOT", "If 'off', no ahead-of-time cache is read or made.");
    term("NO_COLOR", "If set, nothing is coloured.");
  }

  private void files() {
    section("FILES");
    term(
        "~/.config/qnext/config",
        "Settings, in $XDG_CONFIG_HOME/qnext if that is set. A line is 'key = value', where the key"
            + " is the long name of an option without dashes, for every command that has it, or a"
            + " command's name, a point and an option's name, for that command alone. What is given"
            + " on the command line comes first. A line that begins with # is a comment; a value in"
            + " double quotes is read as in JSON. 'qnext use' writes the key 'model'.");
    line(".RS");
    line(".PP");
    line(".nf");
    for (String example :
        List.of(
            "# ~/.config/qnext/config",
            "model = ~/models/Qwen3-Next-80B-A3B-Instruct-4bit",
            "temp = 0.7",
            "stats = false",
            "chat.system = Answer briefly.")) {
      line(escape(example));
    }
    line(".fi");
    line(".RE");
    term("~/.config/qnext/prompts/", "Saved prompts.");
    term("~/.config/qnext/conversations/", "Conversations that were kept, for -c.");
    term(
        "~/.cache/qnext/",
        "What can be made again, in $XDG_CACHE_HOME/qnext if that is set; ~/Library/Caches/qnext on"
            + " macOS.");
  }

  private void examples() {
    section("EXAMPLES");
    line(".nf");
    for (String example :
        List.of(
            "qnext chat \"Why is the sky blue?\"",
            "cat notes.txt | qnext chat \"Summarize in three points.\" > summary.md",
            "qnext use mlx-community/Qwen3-Next-80B-A3B-Instruct-4bit")) {
      line(escape(example));
    }
    line(".fi");
  }

  private void section(String name) {
    line(".SH \"%s\"".formatted(name));
  }

  private void term(String term, String text) {
    line(".TP");
    line("\\fB%s\\fR".formatted(escape(term)));
    text(text);
  }

  private void paragraph(String text) {
    line(".PP");
    text(text);
  }

  private void text(String text) {
    line(escape(text));
  }

  private void line(String roff) {
    out.append(roff).append('\n');
  }

  /** Without picocli's variables and marks. */
  private static String plain(String text) {
    return Ansi.OFF.string(text.replace("%n", " ").replace("%%", "%")).strip();
  }

  /** Every character as it is, also at the start of a line; others than ASCII by their number. */
  private static String escape(String text) {
    StringBuilder escaped = new StringBuilder();
    if (text.startsWith(".") || text.startsWith("'")) {
      escaped.append("\\&");
    }
    text.codePoints()
        .forEach(c -> {
          switch (c) {
            case '\\' -> escaped.append("\\e");
            case '-' -> escaped.append("\\-");
            case '\'' -> escaped.append("\\(aq");
            case '`' -> escaped.append("\\(ga");
            case '^' -> escaped.append("\\(ha");
            case '~' -> escaped.append("\\(ti");
            case '\n' -> escaped.append(' ');
            default -> {
              if (c < 128) {
                escaped.append((char) c);
              } else {
                escaped.append("\\[u%04X]".formatted(c));
              }
            }
          }
        });
    return escaped.toString();
  }
}
