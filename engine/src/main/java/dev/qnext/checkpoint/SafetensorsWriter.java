package dev.qnext.checkpoint;

import dev.qnext.QnextException;
import dev.qnext.json.Json;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Writes one safetensors file from front to back, so that it may be larger than memory: the header
 * first, from what the tensors will be, then their data in the same order, in pieces of any size.
 * The file appears only when it is whole; until {@link #finish} it is called {@code NAME.partial},
 * and closing without finishing, or the end of the process, removes that. The format is told in
 * {@link Safetensors}.
 */
public final class SafetensorsWriter implements AutoCloseable {
  /** Most bytes of one write to the channel, which copies heap memory to native memory. */
  private static final int PIECE = 1 << 20;

  private final Path file;
  private final Path partial;
  private final FileChannel channel;
  private final List<Entry> tensors;

  /** The tensor whose data come next, and how many of its bytes are missing. */
  private int next;

  private long missing;

  /** A tensor to be written. */
  public record Entry(String name, DType type, List<Long> shape) {
    public Entry {
      shape = List.copyOf(shape);
    }

    /** Bytes of its data. */
    public long bytes() {
      long bytes = type.bytes();
      for (long size : shape) {
        bytes = Math.multiplyExact(bytes, size);
      }
      return bytes;
    }
  }

  /** The numbers of an f32 tensor, row by row. */
  @SuppressWarnings("ArrayRecordComponent") // compared by nobody
  public record Floats(List<Long> shape, float[] values) {}

  private SafetensorsWriter(Path file, Path partial, FileChannel channel, List<Entry> tensors) {
    this.file = file;
    this.partial = partial;
    this.channel = channel;
    this.tensors = List.copyOf(tensors);
    this.missing = tensors.isEmpty() ? 0 : tensors.getFirst().bytes();
  }

  /**
   * Begins a file.
   *
   * @param metadata goes into {@code __metadata__}; nothing is written for an empty one
   */
  public static SafetensorsWriter create(
      Path file, List<Entry> tensors, Map<String, String> metadata) {
    if (Files.exists(file) && !Files.isRegularFile(file)) {
      throw new QnextException(
          "cannot write %s: it is there, but no ordinary file; give another name".formatted(file));
    }
    ByteBuffer header = header(tensors, metadata);
    Path partial = file.resolveSibling(file.getFileName() + ".partial");
    FileChannel channel = null;
    // A signal ends the process without closing anything.
    partial.toFile().deleteOnExit();
    try {
      channel =
          FileChannel.open(
              partial,
              StandardOpenOption.CREATE,
              StandardOpenOption.TRUNCATE_EXISTING,
              StandardOpenOption.WRITE);
      writeFully(channel, header);
      return new SafetensorsWriter(file, partial, channel, tensors);
    } catch (IOException e) {
      remove(channel, partial, e);
      throw QnextException.cannotWrite(file, e);
    }
  }

  /** Writes a whole file of f32 tensors. */
  public static void write(Path file, Map<String, Floats> tensors) {
    List<Entry> entries = new ArrayList<>();
    tensors.forEach((name, tensor) -> entries.add(new Entry(name, DType.F32, tensor.shape())));
    try (SafetensorsWriter writer = create(file, entries, Map.of())) {
      for (Floats tensor : tensors.values()) {
        writer.write(tensor.values());
      }
      writer.finish();
    }
  }

  private static ByteBuffer header(List<Entry> tensors, Map<String, String> metadata) {
    Map<String, Object> header = new LinkedHashMap<>();
    if (!metadata.isEmpty()) {
      header.put("__metadata__", metadata);
    }
    long at = 0;
    for (Entry tensor : tensors) {
      long to = at + tensor.bytes();
      Map<String, Object> place = new LinkedHashMap<>();
      place.put("dtype", tensor.type().name());
      place.put("shape", tensor.shape());
      place.put("data_offsets", List.of(at, to));
      if (header.put(tensor.name(), place) != null) {
        throw new IllegalArgumentException("two tensors have the name " + tensor.name());
      }
      at = to;
    }
    byte[] json = Json.write(header).getBytes(StandardCharsets.UTF_8);
    // Spaces make the data start at a multiple of 8.
    int length = json.length + Math.floorMod(-json.length, 8);
    ByteBuffer bytes = ByteBuffer.allocate(8 + length).order(ByteOrder.LITTLE_ENDIAN);
    bytes.putLong(length).put(json);
    while (bytes.hasRemaining()) {
      bytes.put((byte) ' ');
    }
    return bytes.flip();
  }

  /**
   * Writes the next bytes of the data.
   *
   * @throws IllegalArgumentException if they reach beyond the tensor that is being written
   */
  public void write(MemorySegment data) {
    claim(data.byteSize());
    try {
      for (long at = 0; at < data.byteSize(); at += PIECE) {
        writeFully(
            channel,
            data.asSlice(at, Math.min(PIECE, data.byteSize() - at)).asByteBuffer().slice());
      }
    } catch (IOException e) {
      throw QnextException.cannotWrite(file, e);
    }
  }

  /** Writes the next numbers of an f32 tensor. */
  public void write(float[] values) {
    claim(4L * values.length);
    ByteBuffer buffer =
        ByteBuffer.allocate((int) Math.min(PIECE, 4L * values.length))
            .order(ByteOrder.LITTLE_ENDIAN);
    try {
      for (int i = 0; i < values.length; ) {
        int count = Math.min(PIECE / 4, values.length - i);
        buffer.clear().limit(4 * count);
        buffer.asFloatBuffer().put(values, i, count);
        writeFully(channel, buffer);
        i += count;
      }
    } catch (IOException e) {
      throw QnextException.cannotWrite(file, e);
    }
  }

  private void claim(long bytes) {
    skipWhole();
    if (bytes > missing) {
      throw new IllegalArgumentException(
          "%d bytes where %d are missing %s"
              .formatted(
                  bytes,
                  missing,
                  next == tensors.size() ? "in all" : "of " + tensors.get(next).name()));
    }
    missing -= bytes;
  }

  /** Goes on to the first tensor that lacks something. */
  private void skipWhole() {
    while (missing == 0 && next < tensors.size()) {
      next++;
      missing = next < tensors.size() ? tensors.get(next).bytes() : 0;
    }
  }

  /**
   * Gives the file its name; one that is there is replaced.
   *
   * @throws IllegalStateException if data are missing
   */
  public void finish() {
    skipWhole();
    if (next < tensors.size()) {
      throw new IllegalStateException(
          "%d bytes of %s were not written".formatted(missing, tensors.get(next).name()));
    }
    try {
      channel.close();
      Files.move(partial, file, StandardCopyOption.REPLACE_EXISTING);
    } catch (IOException e) {
      remove(channel, partial, e);
      throw QnextException.cannotWrite(file, e);
    }
  }

  /** Removes the file if it was not finished. */
  @Override
  public void close() {
    if (channel.isOpen()) {
      remove(channel, partial, new IOException());
    }
  }

  private static void remove(@Nullable FileChannel channel, Path partial, IOException cause) {
    try {
      if (channel != null) {
        channel.close();
        Files.deleteIfExists(partial);
      }
    } catch (IOException e) {
      cause.addSuppressed(e);
    }
  }

  private static void writeFully(FileChannel channel, ByteBuffer buffer) throws IOException {
    while (buffer.hasRemaining()) {
      channel.write(buffer);
    }
  }
}
