package dev.qnext.cli;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.InputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;

/** The command line within this process, with other streams. Neither end is a terminal. */
final class CliRun {
  private CliRun() {}

  static Outcome run(String... args) {
    return runWith("", args);
  }

  static Outcome runWith(String input, String... args) {
    return runWith(input.getBytes(StandardCharsets.UTF_8), args);
  }

  static Outcome runWith(byte[] input, String... args) {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    ByteArrayOutputStream err = new ByteArrayOutputStream();
    InputStream in = System.in;
    PrintStream systemOut = System.out;
    PrintStream systemErr = System.err;
    try {
      System.setIn(new ByteArrayInputStream(input));
      System.setOut(new PrintStream(out, true, StandardCharsets.UTF_8));
      System.setErr(new PrintStream(err, true, StandardCharsets.UTF_8));
      Output.redirect(out);
      int exit = Main.run(args);
      return new Outcome(
          exit, out.toString(StandardCharsets.UTF_8), err.toString(StandardCharsets.UTF_8));
    } finally {
      System.setIn(in);
      System.setOut(systemOut);
      System.setErr(systemErr);
      Output.redirect(new FileOutputStream(FileDescriptor.out));
    }
  }
}
