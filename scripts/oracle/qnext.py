"""Our program, seen from outside: its command line and nothing else."""

import os
import pathlib
import subprocess
import tempfile

from safetensors.numpy import load_file

PROGRAM = pathlib.Path(__file__).resolve().parents[1] / "qnext"
# These runs are so short that the second compiler costs more than it gives.
ENVIRONMENT = os.environ | {"QNEXT_JAVA_OPTS": os.environ.get("QNEXT_JAVA_OPTS", "") + " -XX:TieredStopAtLevel=1"}


class Failed(Exception):
    pass


def run(command, *arguments):
    done = subprocess.run(
        [PROGRAM, command, *arguments], capture_output=True, text=True, stdin=subprocess.DEVNULL, env=ENVIRONMENT
    )
    if done.returncode != 0:
        raise Failed(done.stderr.strip())
    return done.stdout


def build():
    run("--version")


def logits(folder, backend, ids):
    """[T, V]"""
    with tempfile.TemporaryDirectory() as work:
        file = pathlib.Path(work, "logits.safetensors")
        run("score", "--model", folder, "--backend", backend, "--ids", text(ids), "--logits", file)
        return load_file(file)["logits"]


def continuation(folder, backend, ids, count):
    out = run(
        *("complete", "--model", folder, "--backend", backend, "--ids", text(ids), "--print-ids"),
        *("--temp", "0", "--max-tokens", str(count), "--ignore-eos"),
    )
    return [int(word) for word in out.split()]


def text(ids):
    return ",".join(map(str, ids))
