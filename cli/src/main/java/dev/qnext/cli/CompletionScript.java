package dev.qnext.cli;

import java.util.ArrayList;
import java.util.List;
import picocli.CommandLine;
import picocli.CommandLine.Model.ArgSpec;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;
import picocli.CommandLine.Model.PositionalParamSpec;

/**
 * Completion for bash (3.2 will do) and zsh, from the model of all commands: names of commands,
 * options, values of enumerations, models that {@code qnext list} shows; else files. Scripts of
 * picocli's own complete no names that are only known at that moment.
 */
final class CompletionScript {
  /** The label of options and parameters that take a model; a Path takes a folder alone. */
  private static final String MODEL = "MODEL";

  /** zsh completes through bashcompinit, whose functions see the words as bash's do. */
  private static final String FUNCTION =
      """
      _qnext_complete() {
        local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} command='' at=1
        # bash cuts --option=value at the =.
        if [ "$word" = = ]; then
          word=''
        elif [ "$before" = = ]; then
          before=${COMP_WORDS[COMP_CWORD-2]}
        fi
        while [ "$at" -lt "$COMP_CWORD" ]; do
          case ${COMP_WORDS[at]} in
            -*) at=$((at + 1)) ;;
            *) command=${COMP_WORDS[at]} && break ;;
          esac
        done

        local words='' options=''
        case $command in
      %s    *) return ;;
        esac
        case "$command $before" in
      %s  esac
        case $word in
          -*) words=$options ;;
        esac
        local IFS=$' \\t\\n'
        COMPREPLY=($(compgen -W "$words" -- "$word"))
      }

      # Names of models; where none fits, bash goes on with files.
      _qnext_models() {
        local IFS=$'\\n' program=${COMP_WORDS[0]}
        case $program in
          '~/'*) program=$HOME/${program#'~/'} ;;
        esac
        COMPREPLY=($(compgen -W "$("$program" list --names 2>/dev/null)" -- "$1"))
      }
      """;

  private final CommandSpec all;

  /**
   * @param all the command that holds the others
   */
  CompletionScript(CommandSpec all) {
    this.all = all;
  }

  String bash() {
    return """
    # Completes the words of qnext in bash; made by 'qnext completion bash'.
    %scomplete -o default -F _qnext_complete qnext
    """
        .formatted(function());
  }

  String zsh() {
    return """
    #compdef qnext
    # Completes the words of qnext in zsh; made by 'qnext completion zsh'.
    autoload -Uz bashcompinit && bashcompinit
    %scomplete -o default -F _qnext_complete qnext
    # zsh loads this file, as the function _qnext, when it first completes a word of qnext.
    if [ "${funcstack[1]:-}" = _qnext ]; then
      _bash_complete -o default -F _qnext_complete
    fi
    """
        .formatted(function());
  }

  private String function() {
    StringBuilder words = new StringBuilder();
    StringBuilder values = new StringBuilder();
    List<String> models = new ArrayList<>();
    words.append(words("''", String.join(" ", Commands.NAMES), all));
    for (CommandLine line : all.subcommands().values()) {
      CommandSpec command = line.getCommandSpec();
      words.append(words(command.name(), positionals(command), command));
      for (ArgSpec argument : command.args()) {
        String places = places(command, argument);
        if (argument.paramLabel().equals(MODEL) && argument.type() == String.class) {
          models.add(places);
        } else if (argument.isOption() && argument.completionCandidates() != null) {
          values.append("    %s) words='%s' ;;\n".formatted(places, candidates(argument)));
        }
      }
    }
    values.append(
        "    %s)\n      _qnext_models \"$word\"\n      return\n      ;;\n"
            .formatted(String.join(" | ", models)));
    return FUNCTION.formatted(words, values);
  }

  private static String words(String command, String words, CommandSpec spec) {
    List<String> options = new ArrayList<>();
    for (OptionSpec option : spec.options()) {
      if (!option.hidden()) {
        options.add(option.longestName());
        if (option.negatable()) {
          options.add("--no-" + option.longestName().substring(2));
        }
      }
    }
    return "    %s)\n%s      options='%s'\n      ;;\n"
        .formatted(
            command,
            words.isEmpty() ? "" : "      words='%s'\n".formatted(words),
            String.join(" ", options));
  }

  /** What the parameters of a command can be, where that is known. */
  private static String positionals(CommandSpec command) {
    if (command.name().equals("help")) {
      return String.join(" ", Commands.NAMES);
    }
    List<String> words = new ArrayList<>();
    for (PositionalParamSpec parameter : command.positionalParameters()) {
      if (parameter.completionCandidates() != null) {
        words.add(candidates(parameter));
      }
    }
    return String.join(" ", words);
  }

  /** Enumerations are read in any case. */
  private static String candidates(ArgSpec argument) {
    List<String> candidates = new ArrayList<>();
    argument.completionCandidates().forEach(candidates::add);
    return String.join(" ", candidates).toLowerCase(java.util.Locale.ROOT);
  }

  /** What stands before a value: a pattern of the command and the word before. */
  private static String places(CommandSpec command, ArgSpec argument) {
    if (!(argument instanceof OptionSpec option)) {
      return "'%1$s %1$s'".formatted(command.name());
    }
    List<String> places = new ArrayList<>();
    for (String name : option.names()) {
      places.add("'%s %s'".formatted(command.name(), name));
    }
    return String.join(" | ", places);
  }
}
