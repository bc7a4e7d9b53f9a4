"""Lets the ordinary Linux wheel of torch be imported without the 3 GB of CUDA libraries that it is linked to.

For each missing library this puts a shared object of a few kilobytes beside torch's own: every function that torch
takes from it exists and returns an error. Torch then finds no GPU and computes on the CPU as ever. Needs cc, nm and
readelf. The one small library whose functions run at import, libcudart, must be the real one (nvidia-cuda-runtime).
"""

import importlib.util
import pathlib
import subprocess
import tempfile

# The stem of a library's name, and what the names of its functions begin with.
LIBRARIES = {
    "libcublas": "cublas",
    "libcublasLt": "cublasLt",
    "libcudnn": "cudnn",
    "libcufft": "cufft",
    "libcufile": "cuFile",
    "libcupti": "cupti",
    "libcusolver": "cusolver",
    "libcusparse": "cusparse",
    "libcusparseLt": "cusparseLt",
    "libnccl": "nccl",
    "libnvrtc": "nvrtc",
    "libnvshmem_host": "nvshmem",
}


def output(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def build(folder):
    files = [str(file) for file in sorted(folder.glob("*.so"))]
    needed = {
        line.split("[")[1].rstrip("]")
        for line in output("readelf", "-d", *files).splitlines()
        if "(NEEDED)" in line
    }
    undefined = {
        line.split()[-1] for line in output("nm", "-D", "--undefined-only", *files).splitlines() if " U " in line
    }
    for soname in sorted(needed):
        prefix = LIBRARIES.get(soname.split(".so")[0])
        if prefix is None:
            continue
        names, versions = set(), set()
        for symbol in undefined:
            name, _, version = symbol.replace("@@", "@").partition("@")
            if name.startswith(prefix) and version in ("", soname, "NVSHMEM"):
                names.add(name)
                versions |= {version} - {""}
        with tempfile.TemporaryDirectory() as work:
            source = pathlib.Path(work, "stub.c")
            source.write_text("".join(f"int {name}(void) {{ return 1; }}\n" for name in sorted(names)))
            script = pathlib.Path(work, "versions")
            script.write_text("".join(f"{version} {{ global: *; }};\n" for version in versions))
            command = ["cc", "-shared", "-fPIC", "-w", "-o", str(folder / soname), str(source), f"-Wl,-soname,{soname}"]
            output(*command, *([f"-Wl,--version-script={script}"] if versions else []))
        print(f"{soname}: {len(names)} functions")


if __name__ == "__main__":
    build(pathlib.Path(importlib.util.find_spec("torch").origin).parent / "lib")
