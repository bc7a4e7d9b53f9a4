import java.io.IOException;
import java.io.OutputStream;
import java.lang.classfile.ClassFile;
import java.lang.classfile.ClassFileVersion;
import java.lang.classfile.ClassHierarchyResolver;
import java.lang.classfile.ClassTransform;
import java.lang.classfile.CodeTransform;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.List;
import java.util.zip.ZipEntry;
import java.util.zip.ZipFile;
import java.util.zip.ZipOutputStream;

/**
 * A step of the build: gives the classes of old jars the form of Java 8, in place.
 *
 * <p>picocli is compiled for Java 5, and such classes have no stack maps. Java then infers types
 * to verify them, which is slow, and an ahead-of-time cache leaves them out ("old class"), so that
 * every start did both again: two thirds of the time of {@code qnext --version}.
 *
 * <pre>java NewerClasses.java FOLDER      of jars; others than old ones stay as they are</pre>
 */
final class NewerClasses {
  /** The first class files that the type-checking verifier reads. */
  private static final int JAVA_6 = 50;

  private static final int JAVA_8 = 52;
  private static final int MAGIC_AND_MINOR = 6;

  private NewerClasses() {}

  public static void main(String[] args) throws IOException {
    List<Path> jars = new ArrayList<>();
    try (DirectoryStream<Path> found = Files.newDirectoryStream(Path.of(args[0]), "*.jar")) {
      found.forEach(jars::add);
    }
    for (Path jar : jars) {
      if (hasOldClasses(jar)) {
        rewrite(jar);
      }
    }
  }

  private static boolean isClass(ZipEntry entry) {
    return entry.getName().endsWith(".class") && !entry.getName().startsWith("META-INF/");
  }

  private static int version(byte[] bytes) {
    return bytes[MAGIC_AND_MINOR] << 8 | bytes[MAGIC_AND_MINOR + 1] & 0xff;
  }

  private static boolean hasOldClasses(Path jar) throws IOException {
    try (ZipFile zip = new ZipFile(jar.toFile())) {
      for (ZipEntry entry : zip.stream().filter(NewerClasses::isClass).toList()) {
        if (version(zip.getInputStream(entry).readAllBytes()) < JAVA_6) {
          return true;
        }
      }
      return false;
    }
  }

  private static void rewrite(Path jar) throws IOException {
    Path unfinished = jar.resolveSibling(jar.getFileName() + ".new");
    try (ZipFile zip = new ZipFile(jar.toFile());
        URLClassLoader loader = new URLClassLoader(new URL[] {jar.toUri().toURL()});
        OutputStream file = Files.newOutputStream(unfinished);
        ZipOutputStream out = new ZipOutputStream(file)) {
      ClassFile classes =
          ClassFile.of(
              ClassFile.StackMapsOption.GENERATE_STACK_MAPS,
              // A stack map names the class that two others have in common.
              ClassFile.ClassHierarchyResolverOption.of(
                  ClassHierarchyResolver.ofResourceParsing(loader)));
      for (ZipEntry entry : zip.stream().toList()) {
        byte[] bytes = zip.getInputStream(entry).readAllBytes();
        ZipEntry written = new ZipEntry(entry.getName());
        written.setTime(entry.getTime());
        out.putNextEntry(written);
        out.write(isClass(entry) && version(bytes) < JAVA_6 ? newer(classes, bytes) : bytes);
      }
    }
    Files.move(unfinished, jar, StandardCopyOption.REPLACE_EXISTING);
  }

  private static byte[] newer(ClassFile classes, byte[] bytes) {
    ClassTransform version =
        (builder, element) -> {
          if (element instanceof ClassFileVersion) {
            builder.withVersion(JAVA_8, 0);
          } else {
            builder.with(element);
          }
        };
    // Code that is only copied would get no stack maps.
    ClassTransform code = ClassTransform.transformingMethodBodies(CodeTransform.ACCEPT_ALL);
    return classes.transformClass(classes.parse(bytes), version.andThen(code));
  }
}
