package dev.qnext.cli;

import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.List;
import org.jline.reader.Candidate;
import org.jline.reader.Completer;
import org.jline.reader.LineReader;
import org.jline.reader.ParsedLine;

/** What the Tab key offers: commands, settings and their values, saved conversations, files. */
final class TalkCompleter implements Completer {
  private final Settings settings;

  TalkCompleter(Settings settings) {
    this.settings = settings;
  }

  @Override
  public void complete(LineReader reader, ParsedLine line, List<Candidate> candidates) {
    List<String> words = line.words();
    String command = words.getFirst();
    if (!command.startsWith("/")) {
      return;
    }
    int argument = line.wordIndex();
    if (argument == 0) {
      for (TalkCommand each : TalkCommand.values()) {
        candidates.add(candidate(each.word(), each.purpose(), true));
      }
    } else if (line.word().startsWith("@")) {
      files(line.word().substring(1), candidates);
    } else if (command.equals("/set") && argument == 1) {
      settings.names().forEach(name -> candidates.add(candidate(name, "", true)));
    } else if (command.equals("/set") && argument == 2) {
      settings.values(words.get(1)).forEach(value -> candidates.add(candidate(value, "", true)));
    } else if (command.equals("/load") && argument == 1) {
      ConversationFile.names().forEach(name -> candidates.add(candidate(name, "", true)));
    }
  }

  private static void files(String typed, List<Candidate> candidates) {
    int nameStart = typed.lastIndexOf('/') + 1;
    String folder = typed.substring(0, nameStart);
    try (DirectoryStream<Path> files = Files.newDirectoryStream(Path.of(folder))) {
      for (Path file : files) {
        boolean isFolder = Files.isDirectory(file);
        String value = "@" + folder + file.getFileName() + (isFolder ? "/" : "");
        candidates.add(candidate(value, "", !isFolder));
      }
    } catch (IOException | InvalidPathException e) {
      // Nothing to offer.
    }
  }

  /**
   * @param whole whether a blank goes behind it
   */
  private static Candidate candidate(String value, String purpose, boolean whole) {
    return new Candidate(value, value, null, purpose.isEmpty() ? null : purpose, null, null, whole);
  }
}
