"""What scripts/bench-host prints: mlx-lm beside qnext on one machine, one library, one model.

    compare.py WORK CLASSPATH DEMO CHECKPOINTS [PART...]      WORK holds dry-gpu.so
"""

import collections
import os
import pathlib
import subprocess
import sys

import mlx.core as mx
import numpy as np

WORK, CLASSPATH, DEMO, CHECKPOINTS = pathlib.Path(sys.argv[1]), sys.argv[2], *map(pathlib.Path, sys.argv[3:5])
MODELS = {
    "demo": (DEMO, "the bundled model: 8 layers"),
    "true": (CHECKPOINTS / "true", "random: 12 layers of the true shape, 64 experts"),
    "narrow": (CHECKPOINTS / "narrow", "random: 48 layers, the true heads, narrow everything else"),
}
PROMPTS = 3
LENGTH = 12


def run(command, dry):
    environment = dict(os.environ)
    if dry:
        environment["LD_PRELOAD"] = str(WORK / "dry-gpu.so")
    done = subprocess.run(list(map(str, command)), env=environment, stdout=subprocess.PIPE, text=True)
    if done.returncode != 0:
        sys.exit(f"bench-host: {command[0]} ended with {done.returncode}; its reasons are above")
    return done.stdout


def mlx_lm(*arguments, dry=True):
    return run([sys.executable, pathlib.Path(__file__).with_name("mlx_lm_step.py"), *arguments], dry)


def qnext(*arguments, dry=True):
    java = pathlib.Path(os.environ["JAVA_HOME"], "bin", "java")
    options = ["--enable-native-access=ALL-UNNAMED", f"-Ddry.gpu={WORK / 'dry-gpu.so'}", "-XX:+UseSerialGC"]
    return run([java, *options, "-cp", CLASSPATH, "dev.qnext.mlx.MlxStep", *arguments], dry)


def load():
    """Twice: what the first time read stays in the system's cache."""
    folder = CHECKPOINTS / "large"
    size = sum(file.stat().st_size for file in folder.glob("*.safetensors"))
    print(f"# Seconds to load {size / 1e9:.2f} GB on MLX's CPU device, where scales and plain numbers become f32")
    for file in folder.glob("*.safetensors"):
        with open(file, "rb") as opened:
            os.posix_fadvise(opened.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    for when in ("from the disk", "from the system's cache"):
        seconds, megabytes = qnext("load", folder, dry=False).split()
        print(f"{float(seconds):6.2f}  {when}; {int(megabytes):,} MB in use then")


def logits():
    print("# Logits in f32 on the CPU: the largest difference, beside the largest logit")
    random = np.random.default_rng(1)
    for folder, description in MODELS.values():
        worst = largest = 0
        for _ in range(PROMPTS):
            ids = random.integers(0, 2000, LENGTH)
            mlx_lm("logits", folder, WORK / "theirs.safetensors", *ids, dry=False)
            qnext("logits", folder, WORK / "ours", *ids, dry=False)
            theirs = np.array(mx.load(str(WORK / "theirs.safetensors"))["logits"])
            ours = np.fromfile(WORK / "ours", np.float32).reshape(theirs.shape)
            worst = max(worst, np.abs(ours - theirs).max())
            largest = max(largest, np.abs(theirs).max())
        print(f"{worst:.1e}  {largest:6.2f}  {description}; {PROMPTS} prompts of {LENGTH} ids")


def build():
    folder, description = MODELS["narrow"]
    print(f"# Milliseconds to build one decode step, medians of three runs ({description})")
    print("         wall  processor")
    for name, step in (("mlx-lm", mlx_lm), ("qnext", qnext)):
        runs = sorted((tuple(map(float, step("build", folder).split())) for _ in range(3)), key=lambda times: times[1])
        print(f"{name:7} {runs[1][0]:5.2f}      {runs[1][1]:5.2f}")


def counts(report):
    by_class = collections.Counter()
    for line in report.splitlines():
        primitive, _, launches = line.split("\t")
        by_class[primitive.split(" ")[0]] += int(launches)
    return by_class


def launches():
    folder, description = MODELS["narrow"]
    print(f"# Kernels of one decode step as Metal launches them ({description})")
    theirs, ours = (counts(step("launches", folder)) for step in (mlx_lm, qnext))
    print(f"{'':34}{'mlx-lm':>7}{'qnext':>7}")
    for primitive in sorted(theirs | ours):
        if theirs[primitive] or ours[primitive]:
            print(f"{primitive:34}{theirs[primitive]:7}{ours[primitive]:7}")
    print(f"{'all':34}{theirs.total():7}{ours.total():7}")
    print("# The sum for other models and contexts")
    for model, context in (("demo", 16), ("true", 16), ("narrow", 5000)):
        folder, description = MODELS[model]
        theirs, ours = (counts(step("launches", folder, context)).total() for step in (mlx_lm, qnext))
        print(f"{f'behind {context} tokens':34}{theirs:7}{ours:7}  {description}")


PARTS = {part.__name__: part for part in (logits, build, launches, load)}
for part in sys.argv[5:] or PARTS:
    if part not in PARTS:
        sys.exit(f"bench-host: {part} is none of {', '.join(PARTS)}")
    PARTS[part]()
