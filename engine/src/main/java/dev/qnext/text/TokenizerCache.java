package dev.qnext.text;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
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
    String origin = cache == null ? null : origin(file);
    if (cache == null || origin == null) {
      return TokenizerFile.read(file);
    }
    Path cached = cache.resolve("tokenizers").resolve(Long.toHexString(hash(file)) + ".tables");
    TokenizerTables known = restored(cached, origin);
    if (known != null) {
      return known;
    }
    TokenizerTables tables = TokenizerFile.read(file);
    // A file that was written to meanwhile is for the next start.
    if (origin.equals(origin(file))) {
      save(tables, cached, origin);
    }
    return tables;
  }

  /** The state of a file: which it is and when it was changed; null for small and missing ones. */
  private static @Nullable String origin(Path file) {
    try {
      // ctime is the system's own: no copy or archive sets it back.
      String state =
          Files.readAttributes(file, "unix:dev,ino,size,lastModifiedTime,ctime").toString();
      return Files.size(file) < SMALLEST ? null : file.toAbsolutePath().toString().concat(state);
    } catch (IOException | UnsupportedOperationException e) {
      return null;
    }
  }

  private static long hash(Path file) {
    long hash = 0;
    String path = file.toAbsolutePath().toString();
    for (int i = 0; i < path.length(); i++) {
      hash = (hash ^ path.charAt(i)) * 0x100000001B3L;
    }
    return hash;
  }

  private static @Nullable TokenizerTables restored(Path cached, String origin) {
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
    return in.text().equals(origin) ? TokenizerTables.restore(in) : null;
  }

  private static void save(TokenizerTables tables, Path cached, String origin) {
    FlatWriter out = new FlatWriter();
    out.number(MAGIC);
    out.number(VERSION);
    out.text(origin);
    tables.save(out);
    out.number(checksum(ByteBuffer.wrap(out.written())));
    try {
      Files.createDirectories(cached.getParent());
      Path unfinished = Files.createTempFile(cached.getParent(), "new", null);
      try {
        Files.write(unfinished, out.written());
        Files.move(unfinished, cached, StandardCopyOption.ATOMIC_MOVE);
      } finally {
        Files.deleteIfExists(unfinished);
      }
    } catch (IOException e) {
      // A cache that cannot be written is none.
    }
  }

  private static int checksum(ByteBuffer bytes) {
    CRC32C checksum = new CRC32C();
    checksum.update(bytes);
    return (int) checksum.getValue();
  }
}
