package dev.qnext.checkpoint;

import dev.qnext.QnextException;
import dev.qnext.json.Json;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * One safetensors file, mapped into memory.
 *
 * <p>Format: u64 little-endian length n of the header, n bytes of JSON (name to dtype, shape,
 * data_offsets; optional {@code __metadata__} of strings; spaces may follow), then the data.
 * Offsets count from the end of the header and are not aligned to anything: MLX does not pad. Every
 * entry is checked against its shape, the file's size and the other entries before anything is
 * read. {@link SafetensorsWriter} writes such files.
 */
public final class Safetensors {
  private static final int MAX_HEADER = 100 << 20;
  private static final ValueLayout.OfLong LENGTH =
      ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  private final Path file;
  private final Map<String, String> metadata;
  private final Map<String, StoredTensor> tensors;

  private Safetensors(Path file, Map<String, String> metadata, Map<String, StoredTensor> tensors) {
    this.file = file;
    this.metadata = metadata;
    this.tensors = tensors;
  }

  /** Maps a file for as long as the arena lives. */
  public static Safetensors open(Path file, Arena arena) {
    try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ)) {
      MemorySegment data = channel.map(FileChannel.MapMode.READ_ONLY, 0, channel.size(), arena);
      return parse(file, data);
    } catch (NoSuchFileException e) {
      throw new QnextException(
          "weights not found: %s; download the model again".formatted(file), e);
    } catch (IOException e) {
      throw new QnextException("cannot read weights: %s: %s".formatted(file, e.getMessage()), e);
    }
  }

  /** Reads the header of a file's bytes; {@code file} is for errors. */
  public static Safetensors parse(Path file, MemorySegment bytes) {
    if (bytes.byteSize() < 8) {
      throw broken(file, "it has %d bytes, fewer than a header".formatted(bytes.byteSize()));
    }
    long length = bytes.get(LENGTH, 0);
    if (length < 2 || length > MAX_HEADER || length > bytes.byteSize() - 8) {
      throw broken(
          file,
          "its header claims %s bytes and the file has %d"
              .formatted(Long.toUnsignedString(length), bytes.byteSize()));
    }
    byte[] header = bytes.asSlice(8, length).toArray(ValueLayout.JAVA_BYTE);
    if (!(json(file, header) instanceof Map<?, ?> entries)) {
      throw broken(file, "its header is not a JSON object");
    }
    MemorySegment data = bytes.asSlice(8 + length);
    Map<String, String> metadata = new LinkedHashMap<>();
    Map<String, StoredTensor> tensors = new LinkedHashMap<>();
    for (Map.Entry<?, ?> entry : entries.entrySet()) {
      String name = (String) entry.getKey();
      if (!(entry.getValue() instanceof Map<?, ?> fields)) {
        throw broken(file, "the entry %s is not an object".formatted(name));
      }
      if (name.equals("__metadata__")) {
        fields.forEach((key, value) -> metadata.put((String) key, String.valueOf(value)));
      } else {
        tensors.put(name, tensor(file, name, fields, data));
      }
    }
    requireApart(file, data, tensors);
    return new Safetensors(file, metadata, tensors);
  }

  private static @Nullable Object json(Path file, byte[] header) {
    try {
      return Json.parse(new String(header, StandardCharsets.UTF_8), "its header");
    } catch (QnextException e) {
      throw broken(file, String.valueOf(e.getMessage()));
    }
  }

  /** Two tensors never share a byte. */
  private static void requireApart(
      Path file, MemorySegment data, Map<String, StoredTensor> tensors) {
    List<StoredTensor> byPlace = new ArrayList<>(tensors.values());
    byPlace.removeIf(tensor -> tensor.data().byteSize() == 0);
    byPlace.sort(Comparator.comparingLong(tensor -> tensor.data().address()));
    for (int i = 1; i < byPlace.size(); i++) {
      MemorySegment before = byPlace.get(i - 1).data();
      long overlap = before.address() + before.byteSize() - byPlace.get(i).data().address();
      if (overlap > 0) {
        throw broken(
            file,
            "%s and %s share %d bytes, the first at %d"
                .formatted(
                    byPlace.get(i - 1).name(),
                    byPlace.get(i).name(),
                    Math.min(overlap, byPlace.get(i).data().byteSize()),
                    byPlace.get(i).data().address() - data.address()));
      }
    }
  }

  private static StoredTensor tensor(Path file, String name, Map<?, ?> fields, MemorySegment data) {
    DType type = null;
    for (DType candidate : DType.values()) {
      if (candidate.name().equals(fields.get("dtype"))) {
        type = candidate;
      }
    }
    if (type == null) {
      throw broken(file, "%s has the unknown dtype %s".formatted(name, fields.get("dtype")));
    }
    long[] shape = longs(fields.get("shape"));
    long[] offsets = longs(fields.get("data_offsets"));
    if (shape == null || offsets == null || offsets.length != 2) {
      throw broken(file, "%s lacks a shape or data_offsets".formatted(name));
    }
    long bytes = type.bytes();
    try {
      for (long size : shape) {
        bytes = Math.multiplyExact(bytes, size);
      }
    } catch (ArithmeticException e) {
      bytes = -1;
    }
    long from = offsets[0];
    long to = offsets[1];
    if (from < 0 || to < from || to > data.byteSize() || to - from != bytes) {
      throw broken(
          file,
          "%s %s %s does not fit its place, bytes %d to %d of %d"
              .formatted(name, type, List.of(box(shape)), from, to, data.byteSize()));
    }
    return new StoredTensor(name, type, shape, data.asSlice(from, bytes), file);
  }

  private static long @Nullable [] longs(@Nullable Object value) {
    if (!(value instanceof List<?> list)) {
      return null;
    }
    long[] numbers = new long[list.size()];
    for (int i = 0; i < numbers.length; i++) {
      if (!(list.get(i) instanceof Long number) || number < 0) {
        return null;
      }
      numbers[i] = number;
    }
    return numbers;
  }

  private static Long[] box(long[] values) {
    Long[] boxed = new Long[values.length];
    for (int i = 0; i < values.length; i++) {
      boxed[i] = values[i];
    }
    return boxed;
  }

  private static QnextException broken(Path file, String why) {
    return new QnextException(
        "%s is not a valid safetensors file: %s; download it again".formatted(file, why));
  }

  public Path file() {
    return file;
  }

  public Map<String, String> metadata() {
    return Collections.unmodifiableMap(metadata);
  }

  /** All tensors, in the order of the header. */
  public Map<String, StoredTensor> tensors() {
    return Collections.unmodifiableMap(tensors);
  }
}
