package dev.qnext.machine;

import static org.assertj.core.api.Assertions.assertThat;

import dev.qnext.machine.Machine.Pressure;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * Facts of machines by what their systems print. Linux's files are recorded; the Mac's texts follow
 * what its programs are known to print, since no Mac was at hand.
 */
class MachineTest {
  @TempDir Path root;

  private static final Map<String, String> MAC =
      Map.of(
          "sysctl",
          """
          hw.memsize: 38654705664
          hw.perflevel0.physicalcpu: 10
          machdep.cpu.brand_string: Apple M3 Max
          hw.optional.arm64: 1
          sysctl.proc_translated: 0
          vm.swapusage: total = 2048.00M  used = 1024.50M  free = 1023.50M  (encrypted)
          kern.memorystatus_vm_pressure_level: 2
          hw.optional.arm.FEAT_DotProd: 1
          hw.optional.arm.FEAT_I8MM: 1
          hw.optional.arm.FEAT_BF16: 1
          sysctl: unknown oid 'hw.optional.arm.FEAT_SME'
          sysctl: unknown oid 'hw.optional.arm.FEAT_SME2'
          """,
          "sw_vers",
          "ProductName:\t\tmacOS\nProductVersion:\t\t26.2\nBuildVersion:\t\t25C56\n",
          "vm_stat",
          """
          Mach Virtual Memory Statistics: (page size of 16384 bytes)
          Pages free:                              194526.
          Pages active:                           1088323.
          Pages inactive:                         1070417.
          Pages speculative:                        15938.
          Pages throttled:                              0.
          Pages wired down:                        149041.
          Pages purgeable:                           7115.
          "Translation faults":                 423434238.
          """);

  @Test
  void aMac() {
    List<String> asked = new ArrayList<>();
    Machine mac =
        MacMachine.read(
            words -> {
              asked.add(words[0]);
              return new Command.Answer(words[0].equals("sysctl") ? 1 : 0, MAC.get(words[0]));
            },
            14);
    assertThat(asked).containsExactlyInAnyOrder("sysctl", "sw_vers", "vm_stat");
    assertThat(mac)
        .isEqualTo(
            new Machine(
                "macOS 26.2 (25C56)",
                "Apple M3 Max",
                14,
                10,
                List.of("DotProd", "I8MM", "BF16"),
                38654705664L,
                16384L * (194526 + 1070417 + 15938 + 7115),
                (long) (1024.5 * 1048576),
                Pressure.WARNING,
                true,
                false,
                List.of()));
  }

  @Test
  void aMacThatTellsNothing() {
    assertThat(MacMachine.read(words -> Command.Answer.NONE, 8))
        .isEqualTo(
            new Machine(
                "macOS of an unknown version (unknown build)",
                "",
                8,
                -1,
                List.of(),
                -1,
                -1,
                -1,
                Pressure.UNKNOWN,
                false,
                false,
                List.of()));
  }

  @Test
  void rosettaShows() {
    Machine mac =
        MacMachine.read(
            words ->
                new Command.Answer(
                    0, MAC.get(words[0]).replace("proc_translated: 0", "proc_translated: 1")),
            8);
    assertThat(mac.translated()).isTrue();
    assertThat(mac.appleSilicon()).isTrue();
  }

  private void file(String path, String text) throws IOException {
    Files.createDirectories(root.resolve(path).getParent());
    Files.writeString(root.resolve(path), text);
  }

  /** Recorded on the machine that this was written on; cut. */
  private void recordedLinux() throws IOException {
    file("etc/os-release", "NAME=\"Debian GNU/Linux\"\nPRETTY_NAME=\"Debian GNU/Linux 12\"\n");
    file("proc/sys/kernel/osrelease", "6.1.0-28-amd64\n");
    file(
        "proc/cpuinfo",
        """
        processor\t: 0
        model name\t: Intel(R) Xeon(R) Processor
        flags\t\t: fpu avx f16c fma avx2 avx512f avx_vnni avx512_bf16 avx512vbmi avx512_vnni

        processor\t: 1
        model name\t: another
        flags\t\t: fpu
        """);
    file(
        "proc/meminfo",
        """
        MemTotal:       24684092 kB
        MemFree:        21704032 kB
        MemAvailable:   24048848 kB
        SwapTotal:       1000000 kB
        SwapFree:         400000 kB
        """);
    file(
        "proc/pressure/memory",
        """
        some avg10=0.00 avg60=0.00 avg300=0.00 total=0
        full avg10=99.00 avg60=0.00 avg300=0.00 total=0
        """);
  }

  @Test
  void aLinuxServer() throws IOException {
    recordedLinux();
    assertThat(LinuxMachine.read(root, 2))
        .isEqualTo(
            new Machine(
                "Debian GNU/Linux 12, kernel 6.1.0-28-amd64",
                "Intel(R) Xeon(R) Processor",
                2,
                -1,
                List.of(
                    "avx2",
                    "fma",
                    "f16c",
                    "avx512f",
                    "avx512_vnni",
                    "avx512vbmi",
                    "avx512_bf16",
                    "avx_vnni"),
                24684092L * 1024,
                24048848L * 1024,
                600000L * 1024,
                Pressure.NORMAL,
                false,
                false,
                List.of()));
  }

  @Test
  void aContainerWithAGpuUnderPressure() throws IOException {
    recordedLinux();
    file("sys/fs/cgroup/memory.max", "8589934592\n");
    file("proc/driver/nvidia/gpus/0000:04:00.0/information", "Model: \t\t NVIDIA H200\nIRQ: 35\n");
    file("proc/pressure/memory", "some avg10=40.01 avg60=1.00 avg300=0.00 total=1\n");
    Machine machine = LinuxMachine.read(root, 2);
    assertThat(machine.memory()).isEqualTo(8589934592L);
    assertThat(machine.available()).isEqualTo(-1);
    assertThat(machine.nvidia()).containsExactly("NVIDIA H200");
    assertThat(machine.pressure()).isEqualTo(Pressure.CRITICAL);
    file("sys/fs/cgroup/memory.max", "max\n");
    assertThat(LinuxMachine.read(root, 2).memory()).isEqualTo(24684092L * 1024);
  }

  @Test
  void aLinuxThatTellsNothing() {
    assertThat(LinuxMachine.read(root, 3))
        .isEqualTo(
            new Machine(
                "Linux",
                "",
                3,
                -1,
                List.of(),
                -1,
                -1,
                -1,
                Pressure.UNKNOWN,
                false,
                false,
                List.of()));
  }

  @Test
  void armFeaturesHaveAnotherName() throws IOException {
    file("proc/cpuinfo", "processor\t: 0\nFeatures\t: fp asimd asimddp i8mm bf16 sve\n");
    assertThat(LinuxMachine.read(root, 4).features())
        .containsExactly("asimd", "asimddp", "i8mm", "bf16", "sve");
  }

  @Test
  void pressureOfEachKind() {
    assertThat(LinuxMachine.pressure("some avg10=9.99 avg60=0")).isEqualTo(Pressure.NORMAL);
    assertThat(LinuxMachine.pressure("some avg10=10.00")).isEqualTo(Pressure.WARNING);
    assertThat(LinuxMachine.pressure("some avg10=x y")).isEqualTo(Pressure.UNKNOWN);
    assertThat(LinuxMachine.pressure("")).isEqualTo(Pressure.UNKNOWN);
  }

  @Test
  void thisMachineIsRead() {
    Machine machine = Machine.read();
    assertThat(machine.cores()).isPositive();
    assertThat(machine.memory()).isGreaterThan(100_000_000L);
    assertThat(machine.system()).isNotEmpty();
  }

  @Test
  @Timeout(20)
  void commandsAreAskedAndNeverWaitedForTooLong() {
    assertThat(Command.onThisMachine("sh", "-c", "cat; echo out; echo err >&2; exit 3"))
        .isEqualTo(new Command.Answer(3, "out\nerr\n"));
    assertThat(Command.onThisMachine("no-such-program-anywhere")).isEqualTo(Command.Answer.NONE);
    assertThat(Command.withTimeout(1, "sleep", "60")).isEqualTo(Command.Answer.NONE);
  }

  @Test
  void cacheFolders() {
    assertThat(CacheFolder.path(name -> name.equals("HOME") ? "/home/a" : null, "Linux"))
        .isEqualTo(Path.of("/home/a/.cache/qnext"));
    assertThat(CacheFolder.path(name -> name.equals("HOME") ? "/Users/a" : null, "Mac OS X"))
        .isEqualTo(Path.of("/Users/a/Library/Caches/qnext"));
    assertThat(CacheFolder.path(name -> "/x", "Mac OS X")).isEqualTo(Path.of("/x/qnext"));
    assertThat(CacheFolder.path(name -> name.equals("HOME") ? "/home/a" : "x", "Linux"))
        .isEqualTo(Path.of("/home/a/.cache/qnext"));
    assertThat(CacheFolder.path(name -> null, "Linux")).isNull();
    assertThat(CacheFolder.path(name -> "", "Linux")).isNull();
  }
}
