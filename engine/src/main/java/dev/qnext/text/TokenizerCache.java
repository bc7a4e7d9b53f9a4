package dev.qnext.text;

import dev.qnext.machine.CacheFolder;
import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryIteratorException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.zip.CRC32C;
import org.jspecify.annotations.Nullable;

/**
 * The tables of large tokenizer.json files in the form in which they are used, in the folder {@code
 * tokenizers} of the user's cache: reading them takes a tenth of the time.
 *
 * <p>A file of this cache belongs to one place of a tokenizer.json; it says which state of the file
 * it was made from, and has a checksum. Where it is missing, old, damaged or another version's, the
 * tokenizer.json is read and the cache written again; where that is impossible, all works without.
 */
final class TokenizerCache {
  /** To be changed with everything that is saved and with every rule that refuses a file. */
  private static final int VERSION = 1;

  private static final int MAGIC = 0x71_74_6F_6B;
  private static final String SUFFIX = ".tables";

  /** Smaller files, in bytes, are read in the time that their cache would take. */
  private static final long SMALLEST = 1 << 16;

  /** Larger ones, in bytes, are not ours: no tokenizer.json becomes as much. */
  private static final long LARGEST = 512 << 20;

  private TokenizerCache() {}

  /**
   * The tables of a tokenizer.json, from the cache or else from the file, and then they are put
   * there.
   *
   * @param cache null for none
   */
  static TokenizerTables read(Path file, @Nullable Path cache) {
    String state = cache == null ? null : state(file);
    if (cache == null || state == null) {
      return TokenizerFile.read(file);
    }
    String place = file.toAbsolutePath().toString();
    Path folder = cache.resolve("tokenizers");
    Path cached = folder.resolve(Long.toHexString(hash(place)) + SUFFIX);
    TokenizerTables known = restored(cached, place, state);
    if (known != null) {
      return known;
    }
    TokenizerTables tables = TokenizerFile.read(file);
    // A file that was written to meanwhile is for the next start.
    if (state.equals(state(file))) {
      save(tables, folder, cached, place, state);
    }
    return tables;
  }

  /** Which file it is and when it was changed; null for small and missing ones. */
  private static @Nullable String state(Path file) {
    try {
      // ctime is the system's own: no copy or archive sets it back.
      String state =
          Files.readAttributes(file, "unix:dev,ino,size,lastModifiedTime,ctime").toString();
      return Files.size(file) < SMALLEST ? null : state;
    } catch (IOException | UnsupportedOperationException e) {
      return null;
    }
  }

  private static long hash(String place) {
    long hash = 0;
    for (int i = 0; i < place.length(); i++) {
      hash = (hash ^ place.charAt(i)) * 0x100000001B3L;
    }
    return hash;
  }

  private static @Nullable TokenizerTables restored(Path cached, String place, String state) {
    ByteBuffer all;
    // A direct buffer: read and checked without another copy. Mapping would take longer.
    try (FileChannel channel = FileChannel.open(cached)) {
      if (channel.size() > LARGEST) {
        return null;
      }
      all = ByteBuffer.allocateDirect((int) channel.size()).order(ByteOrder.LITTLE_ENDIAN);
      while (all.hasRemaining() && channel.read(all) >= 0) {}
    } catch (IOException e) {
      return null;
    }
    int end = all.limit() - Integer.BYTES;
    if (end < 2 * Integer.BYTES
        || all.getInt(0) != MAGIC
        || all.getInt(Integer.BYTES) != VERSION
        || all.getInt(end) != checksum(all.slice(0, end))) {
      return null;
    }
    FlatReader in = new FlatReader(all.position(2 * Integer.BYTES));
    return in.text().equals(place) && in.text().equals(state) ? TokenizerTables.restore(in) : null;
  }

  private static void save(
      TokenizerTables tables, Path folder, Path cached, String place, String state) {
    FlatWriter out = new FlatWriter();
    out.number(MAGIC);
    out.number(VERSION);
    out.text(place);
    out.text(state);
    tables.save(out);
    out.number(checksum(ByteBuffer.wrap(out.written())));
    try {
      CacheFolder.replace(cached, out.written());
      removeOrphans(folder);
    } catch (IOException | DirectoryIteratorException e) {
      // A cache that cannot be written is none.
    }
  }

  /** Removes the tables of files that are gone. */
  private static void removeOrphans(Path folder) throws IOException {
    try (DirectoryStream<Path> all = Files.newDirectoryStream(folder, "*" + SUFFIX)) {
      for (Path cached : all) {
        String place = place(cached);
        if (place != null && !new File(place).exists()) {
          Files.deleteIfExists(cached);
        }
      }
    }
  }

  /**
   * The place of the tokenizer.json from which a file of this cache was made; null where unknown.
   */
  private static @Nullable String place(Path cached) throws IOException {
    byte[] head;
    try (InputStream in = Files.newInputStream(cached)) {
      head = in.readNBytes(1 << 14);
    }
    int start = 3 * Integer.BYTES;
    FlatReader reader = new FlatReader(ByteBuffer.wrap(head));
    if (head.length < start || reader.number() != MAGIC || reader.number() != VERSION) {
      return null;
    }
    int length = reader.number();
    return length < 0 || length > head.length - start
        ? null
        : new String(head, start, length, StandardCharsets.UTF_8);
  }

  private static int checksum(ByteBuffer bytes) {
    CRC32C checksum = new CRC32C();
    checksum.update(bytes);
    return (int) checksum.getValue();
  }
}
