package dev.qnext.cli;

import org.jspecify.annotations.Nullable;

/** The commands of a conversation. */
enum TalkCommand {
  HELP("", "this list"),
  SYSTEM("TEXT|@FILE", "set the system message, or show it"),
  SET("NAME VALUE", "change a setting, or show it"),
  SHOW("", "model, settings, room in the context"),
  REGEN("", "answer again, with another seed"),
  UNDO("", "take back the last question"),
  EDIT("", "change the last question, ask again"),
  SAVE("NAME", "keep the conversation under a name"),
  LOAD("NAME", "go on with a saved conversation"),
  CLEAR("", "forget the conversation"),
  EXIT("", "leave (Ctrl-D does too)");

  private static final int WIDE = 56;

  private final String arguments;
  private final String purpose;

  TalkCommand(String arguments, String purpose) {
    this.arguments = arguments;
    this.purpose = purpose;
  }

  String word() {
    return "/" + name().toLowerCase(java.util.Locale.ROOT);
  }

  String purpose() {
    return purpose;
  }

  /** The command of a word, by its other names too; null if there is none. */
  static @Nullable TalkCommand of(String word) {
    return switch (word) {
      case "/?" -> HELP;
      case "/bye", "/quit" -> EXIT;
      default -> {
        for (TalkCommand command : values()) {
          if (command.word().equals(word)) {
            yield command;
          }
        }
        yield null;
      }
    };
  }

  /** All of them, for a terminal of so many columns. */
  static String help(int columns) {
    String format = columns < WIDE ? "%s%n    %s%n" : "%-19s %s%n";
    StringBuilder help = new StringBuilder();
    for (TalkCommand command : values()) {
      String usage = (command.word() + " " + command.arguments).strip();
      help.append(format.formatted(usage, command.purpose));
    }
    help.append("Ctrl-C stops an answer.%n".formatted());
    help.append("\"\"\" begins and ends many lines; a line%n".formatted());
    help.append("that ends with \\ goes on.%n".formatted());
    return help.toString();
  }
}
