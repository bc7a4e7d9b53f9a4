package dev.qnext.cli;

import dev.qnext.QnextException;
import java.io.IOException;
import java.nio.file.DirectoryIteratorException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.UnaryOperator;
import org.jspecify.annotations.Nullable;

/**
 * The models on this machine by name: folders with a config.json, whether this program runs them or
 * not.
 *
 * <pre>
 * QNEXT_MODELS   folders with ':' between them, then ~/models: NAME/ or ORG/NAME/
 * HF_HUB_CACHE, else HF_HOME/hub, else ~/.cache/huggingface/hub: the cache of Hugging Face's hub,
 *                models--ORG--NAME/snapshots/COMMIT/ with the COMMIT that is in refs/main
 * demo           the bundled demonstration
 * </pre>
 */
final class Models {
  /** The bundled demonstration's. */
  static final String DEMONSTRATION = "demo";

  private static final String HUB_PREFIX = "models--";
  private static final int NEAREST = 3;

  /** A folder and what it is called, such as {@code ORG/NAME}. */
  record Named(String name, Path folder) {
    /** The name without the organization. */
    String shortName() {
      return name.substring(name.lastIndexOf('/') + 1);
    }
  }

  private final UnaryOperator<@Nullable String> environment;
  private final Path demonstration;

  /**
   * @param demonstration the bundled one's folder, which need not be there
   */
  Models(UnaryOperator<@Nullable String> environment, Path demonstration) {
    this.environment = environment;
    this.demonstration = demonstration;
  }

  static Models ofThisMachine() {
    return new Models(
        System::getenv, Path.of(System.getProperty("qnext.home", "."), "models", "demo"));
  }

  /** The bundled demonstration; null where it is missing. */
  @Nullable Path demonstration() {
    return Files.isDirectory(demonstration) ? demonstration : null;
  }

  /** Each folder once, in the order of the places above. */
  Collection<Named> all() {
    Map<Path, Named> found = new LinkedHashMap<>();
    String folders = environment.apply("QNEXT_MODELS");
    for (String folder : folders == null ? new String[0] : folders.split(":", -1)) {
      if (!folder.isEmpty()) {
        addFolder(path(folder), found);
      }
    }
    addFolder(path("~/models"), found);
    addHub(hub(), found);
    add(DEMONSTRATION, demonstration, found);
    return found.values();
  }

  private void addFolder(Path place, Map<Path, Named> found) {
    for (Path child : children(place)) {
      String name = name(child);
      if (!add(name, child, found)) {
        for (Path grandchild : children(child)) {
          add(name + "/" + name(grandchild), grandchild, found);
        }
      }
    }
  }

  /** As huggingface_hub 1.x finds it (constants.py). */
  private Path hub() {
    String hub = environment.apply("HF_HUB_CACHE");
    String home = environment.apply("HF_HOME");
    String cache = environment.apply("XDG_CACHE_HOME");
    if (hub != null && !hub.isEmpty()) {
      return path(hub);
    }
    if (home != null && !home.isEmpty()) {
      return path(home).resolve("hub");
    }
    return path(cache == null || cache.isEmpty() ? "~/.cache" : cache)
        .resolve("huggingface")
        .resolve("hub");
  }

  private static void addHub(Path hub, Map<Path, Named> found) {
    for (Path repository : children(hub)) {
      String name = name(repository);
      Path snapshot = name.startsWith(HUB_PREFIX) ? snapshot(repository) : null;
      if (snapshot != null) {
        add(name.substring(HUB_PREFIX.length()).replace("--", "/"), snapshot, found);
      }
    }
  }

  /** The one that refs/main names; where nothing does, the only one. */
  private static @Nullable Path snapshot(Path repository) {
    Path snapshots = repository.resolve("snapshots");
    try {
      String commit = Files.readString(repository.resolve("refs").resolve("main")).strip();
      return snapshots.resolve(commit);
    } catch (IOException | InvalidPathException e) {
      List<Path> all = children(snapshots);
      return all.size() == 1 ? all.getFirst() : null;
    }
  }

  private static boolean add(String name, Path folder, Map<Path, Named> found) {
    if (!Files.exists(folder.resolve("config.json"))) {
      return false;
    }
    Path real;
    try {
      real = folder.toRealPath();
    } catch (IOException e) {
      return false;
    }
    found.putIfAbsent(real, new Named(name, folder));
    return true;
  }

  /** Folders, sorted by name; none where there is nothing to read. */
  private static List<Path> children(Path folder) {
    List<Path> children = new ArrayList<>();
    try (DirectoryStream<Path> stream = Files.newDirectoryStream(folder, Files::isDirectory)) {
      stream.forEach(children::add);
    } catch (IOException | DirectoryIteratorException e) {
      return List.of();
    }
    children.sort(null);
    return children;
  }

  private static String name(Path folder) {
    return String.valueOf(folder.getFileName());
  }

  /** A path as a shell would read it: ~/ is the user's home. */
  private Path path(String text) {
    String home = environment.apply("HOME");
    boolean inHome = home != null && (text.equals("~") || text.startsWith("~/"));
    try {
      return Path.of(inHome ? home + text.substring(1) : text);
    } catch (InvalidPathException e) {
      throw new QnextException("%s is no path of a model".formatted(text), e);
    }
  }

  /** Those that this program runs. */
  List<RunnableModel> runnable() {
    List<RunnableModel> runnable = new ArrayList<>();
    for (Named named : all()) {
      try {
        RunnableModel model = RunnableModel.of(named);
        if (model != null) {
          runnable.add(model);
        }
      } catch (QnextException e) {
        // It is not whole.
      }
    }
    return runnable;
  }

  /**
   * The folder or file that the user means: a path if there is something at it, which is then its
   * name too, made absolute; else a model's name, with or without its organization, in any case.
   *
   * @throws QnextException if there is none, or more than one
   */
  Named find(String model) {
    Path path = path(model);
    if (Files.exists(path)) {
      return new Named(path.toAbsolutePath().normalize().toString(), path);
    }
    if (model.matches("[/~].*|\\.\\.?(/.*)?")) {
      throw new QnextException("there is no model folder %s".formatted(path));
    }
    List<Named> meant = new ArrayList<>();
    for (Named named : all()) {
      if (named.name.equalsIgnoreCase(model)) {
        return named;
      }
      if (named.shortName().equalsIgnoreCase(model)) {
        meant.add(named);
      }
    }
    if (meant.size() == 1) {
      return meant.getFirst();
    }
    throw meant.isEmpty() ? unknown(model) : ambiguous(model, meant);
  }

  private QnextException unknown(String model) {
    List<String> names = runnable().stream().map(RunnableModel::name).toList();
    String nearest = String.join(", ", Nearest.sorted(model, names, NEAREST));
    return new QnextException(
        "there is no model %s, neither a folder nor a name that 'qnext list' shows%s"
            .formatted(model, nearest.isEmpty() ? "" : "; the nearest: " + nearest));
  }

  private static QnextException ambiguous(String model, List<Named> meant) {
    return new QnextException(
        "%s may be %s; give the whole name"
            .formatted(model, String.join(" or ", meant.stream().map(Named::name).toList())));
  }
}
