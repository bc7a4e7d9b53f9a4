package dev.qnext.machine;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ConfigFolderTest {
  @TempDir private Path temp;

  @Test
  void places() {
    assertThat(ConfigFolder.path(name -> name.equals("HOME") ? "/home/a" : null))
        .isEqualTo(Path.of("/home/a/.config/qnext"));
    assertThat(ConfigFolder.path(name -> name.equals("HOME") ? "/home/a" : "/x"))
        .isEqualTo(Path.of("/x/qnext"));
    assertThat(ConfigFolder.path(name -> name.equals("HOME") ? "/home/a" : "relative"))
        .isEqualTo(Path.of("/home/a/.config/qnext"));
    assertThat(ConfigFolder.path(name -> null)).isNull();
    assertThat(ConfigFolder.path(name -> "")).isNull();
    assertThat(ConfigFolder.path(name -> "/a\0b")).isNull();
  }

  private static String rights(Path path) throws IOException {
    return PosixFilePermissions.toString(Files.getPosixFilePermissions(path));
  }

  @Test
  void onlyTheOwnerReads() throws IOException {
    Path file = temp.resolve("a/b/file");
    ConfigFolder.replace(file, "one".getBytes(UTF_8));
    assertThat(rights(file)).isEqualTo("rw-------");
    assertThat(rights(temp.resolve("a"))).isEqualTo("rwx------");
    assertThat(rights(temp.resolve("a/b"))).isEqualTo("rwx------");

    Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("rw-r--r--"));
    ConfigFolder.replace(file, "two".getBytes(UTF_8));
    assertThat(file).hasContent("two");
    assertThat(rights(file)).isEqualTo("rw-------");
    assertThat(temp.resolve("a/b")).isDirectoryNotContaining("glob:**new*");
  }

  @Test
  void aLinkStays() throws IOException {
    Path real = Files.writeString(temp.resolve("real"), "one");
    Path link = Files.createSymbolicLink(temp.resolve("link"), real);
    ConfigFolder.replace(link, "two".getBytes(UTF_8));
    assertThat(link).isSymbolicLink();
    assertThat(real).hasContent("two");
  }

  @Test
  void whereAFolderIsInTheWay() throws IOException {
    Path file = temp.resolve("file");
    Files.createDirectories(file.resolve("full"));
    assertThatThrownBy(() -> ConfigFolder.replace(file, new byte[1]))
        .isInstanceOf(IOException.class);
    assertThat(temp).isDirectoryNotContaining("glob:**new*");
    Path below = Files.writeString(temp.resolve("plain"), "x").resolve("file");
    assertThatThrownBy(() -> ConfigFolder.replace(below, new byte[1]))
        .isInstanceOf(IOException.class);
  }
}
