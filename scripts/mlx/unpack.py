"""Checks what was fetched against its hash and lays it out; python 3.9 or newer, nothing but its library.

    unpack.py wheel FILE SHA256 LIBRARIES HEADERS   libraries flat into LIBRARIES, headers below HEADERS
    unpack.py source FOLDER SHA256                  checks the C++ sources below FOLDER/mlx/c
    unpack.py hash FOLDER                           prints the hash that `source` checks

The hash of the sources is over the lines "sha256 of file, two spaces, path from FOLDER, newline" of all .cpp and .h
files below mlx/c, sorted by path. So it does not depend on the archive that they came in.
On failure the last line is one sentence, and the exit code is 1.
"""

import hashlib
import pathlib
import shutil
import sys
import zipfile


def sha256(file):
    digest = hashlib.sha256()
    with open(file, "rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def unpack_wheel(wheel, expected, libraries, headers):
    found = sha256(wheel)
    if found != expected:
        raise ValueError(f"{wheel.name} has the SHA-256 {found}, not {expected}: it is not the file that was published")
    with zipfile.ZipFile(wheel) as archive:
        for entry in archive.infolist():
            path = pathlib.PurePosixPath(entry.filename)
            if entry.is_dir() or ".." in path.parts:
                continue
            if path.parts[:2] == ("mlx", "include"):
                target = headers.joinpath(*path.parts[2:])
            elif path.parent == pathlib.PurePosixPath("mlx/lib") or path.parts[0].endswith(".libs"):
                target = libraries / path.name
            else:
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            with archive.open(entry) as source, open(target, "wb") as copy:
                shutil.copyfileobj(source, copy, 1 << 20)
            target.chmod(0o644)


def hash_of_sources(folder):
    files = [f for f in folder.glob("mlx/c/**/*") if f.suffix in (".cpp", ".h")]
    names = sorted(f.relative_to(folder).as_posix() for f in files)
    lines = "".join(f"{sha256(folder / name)}  {name}\n" for name in names)
    return hashlib.sha256(lines.encode()).hexdigest()


def check_source(folder, expected):
    found = hash_of_sources(folder)
    if found != expected:
        raise ValueError(f"the sources of mlx-c have the hash {found}, not {expected}: they are not version 0.7.0")


def main(job, *arguments):
    if job == "wheel":
        wheel, expected, libraries, headers = arguments
        unpack_wheel(pathlib.Path(wheel), expected, pathlib.Path(libraries), pathlib.Path(headers))
    elif job == "source":
        check_source(pathlib.Path(arguments[0]), arguments[1])
    elif job == "hash":
        print(hash_of_sources(pathlib.Path(arguments[0])))


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except (OSError, ValueError, zipfile.BadZipFile) as problem:
        sys.exit(str(problem))
