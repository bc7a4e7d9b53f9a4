"""What scripts/bench-peers prints: qnext beside llama.cpp and mlx-lm on one machine, one shape, in turn.

    compare.py QNEXT WORK [--json FILE] [--recipes R,R...] [--gguf T,T...] [--threads N] [--without PEER]

Each measurement is its own process, so that none keeps memory from the next. What each of them reports is one object:
{program, version, model, bytes, bytes_per_token, decode: [{depth, tokens_per_s}], prefill: [{tokens, tokens_per_s}]}.
Bytes per token are counted as `qnext bench` does: weights, 10 of 64 experts, keys and values of the context, and
the recurrent state twice, as it is read and written.
"""

import argparse
import datetime
import importlib.metadata
import json
import pathlib
import platform
import subprocess
import sys

import gguf_model

HERE = pathlib.Path(__file__).parent
DEPTHS, PREFILL = (0, 4096, 16384), (128, 512, 2048)
KV_BYTES = 12 * 2 * 512 * 2  # of one token of context: layers, keys and values, numbers, bytes of f16
STATE_BYTES = 36 * (32 * 128 * 128 + 3 * 8192) * 4  # recurrent: layers, delta rule and convolution, bytes of f32
PAIRS = (
    ("4bit", "llama.cpp", "Q4_K_M"),
    ("4bit", "llama.cpp", "Q4_0"),
    ("3bit", "llama.cpp", "Q3_K_M"),
    ("qx53n", "llama.cpp", "Q3_K_M"),
    ("4bit", "ik_llama.cpp*", "four bits"),
    ("3bit", "ik_llama.cpp*", "three bits"),
    ("4bit", "mlx-lm", "4bit"),
)

# ik_llama.cpp is in no package. Issue 5 of this project's tracker has its figures for this shape, seen where memory
# reads 46 to 48 GB/s; the best of each range stands here.
IK_BANDWIDTH = 47e9
IK = (
    {"model": "four bits", "decode": [{"depth": 0, "tokens_per_s": 16.7}], "prefill": [{"tokens": 512, "tokens_per_s": 84}]},
    {"model": "three bits", "decode": [{"depth": 0, "tokens_per_s": 15.0}], "prefill": []},
)


def run(*command):
    """The JSON object that a process writes; its standard error passes through."""
    print("bench-peers:", *command, file=sys.stderr)
    done = subprocess.run(list(map(str, command)), stdout=subprocess.PIPE, text=True)
    if done.returncode != 0:
        sys.exit(f"bench-peers: {command[0]} ended with {done.returncode}; its reasons are above")
    return json.loads(done.stdout)


def python(program, *arguments):
    return run(sys.executable, HERE / program, *arguments)


def qnext(program, recipe, threads):
    report = run(
        program, "bench", "--synthetic", "qwen3-next-80b", "--experts", gguf_model.EXPERTS, "--recipe", recipe,
        "--threads", threads, "--json",
    )
    return report | {
        "program": "qnext",
        "version": "(this folder)",
        "model": recipe,
        "bytes": report["model"]["bytes"],
        "bytes_per_token": report["model"]["bytes_per_token"],
    }


def llama_cpp(work, file_type, threads):
    path = work / f"{file_type}.gguf"
    subprocess.run([sys.executable, HERE / "gguf_model.py", file_type, path], check=True)
    about = {
        "program": "llama.cpp",
        "version": "(llama-cpp-python " + importlib.metadata.version("llama-cpp-python") + ")",
        "model": file_type,
        "bytes": path.stat().st_size,
        "bytes_per_token": gguf_model.bytes_per_token(path) + 2 * STATE_BYTES,
    }
    for packing in ("stored", "repacked"):
        yield python("llama_cpp_speed.py", path, threads, packing) | about | {"packing": packing}
    path.unlink()


def mlx_lm(work):
    return python("mlx_lm_speed.py", work / "mlx-period") | {
        "program": "mlx-lm",
        "version": importlib.metadata.version("mlx-lm"),
        "model": "4bit",
    }


def speed(reports, part, key, value):
    """The best of these reports; None where none has it."""
    speeds = (entry["tokens_per_s"] for report in reports for entry in report[part] if entry[key] == value)
    return max(speeds, default=None)


def cell(value, form="{:.1f}"):
    return "-" if value is None else form.format(value)


def shares(report, bandwidth):
    """What a token must read and write times tokens per second, of what the memory can do."""
    for entry in report["decode"]:
        if "bytes_per_token" in report:
            entry.setdefault("bytes_per_token", report["bytes_per_token"] + entry["depth"] * KV_BYTES)
            entry["share_of_bandwidth"] = entry["bytes_per_token"] * entry["tokens_per_s"] / bandwidth


def table(rows):
    widths = [max(map(len, column)) for column in zip(*rows)]
    for name, *values in rows:
        print(f"{name:{widths[0]}}", *(f"{value:>{width}}" for value, width in zip(values, widths[1:])), sep="  ")


def speeds(reports):
    heads = ["", "GB", "MB/token", *(f"{depth:,}" for depth in DEPTHS), *(f"share {depth:,}" for depth in DEPTHS)]
    rows = [heads + [f"prefill {tokens:,}" for tokens in PREFILL]]
    for report in reports:
        at = {entry["depth"]: entry for entry in report["decode"]}
        row = [" ".join([report["program"], report["model"], report.get("packing", "")])]
        row += [cell(report.get(key) and report[key] / scale, form) for key, scale, form in
                (("bytes", 1e9, "{:.2f}"), ("bytes_per_token", 1e6, "{:,.0f}"))]
        row += [cell(at.get(depth, {}).get("tokens_per_s"), "{:.2f}") for depth in DEPTHS]
        row += [cell(at.get(depth, {}).get("share_of_bandwidth"), "{:.0%}") for depth in DEPTHS]
        row += [cell(speed([report], "prefill", "tokens", tokens)) for tokens in PREFILL]
        rows.append(row)
    table(rows)


def ratios(reports):
    """qnext's speeds over the best that a peer reached with the same bits, packed in whatever way."""
    columns = [("decode", "depth", depth) for depth in DEPTHS] + [("prefill", "tokens", tokens) for tokens in PREFILL]
    rows = [["", *(f"{depth:,}" for depth in DEPTHS), *(f"prefill {tokens:,}" for tokens in PREFILL)]]
    for recipe, program, model in PAIRS:
        ours = [report for report in reports if (report["program"], report["model"]) == ("qnext", recipe)]
        theirs = [report for report in reports if (report["program"], report["model"]) == (program, model)]
        if ours and theirs:
            speeds = [(speed(ours, *column), speed(theirs, *column)) for column in columns]
            rows.append([f"qnext {recipe} / {program} {model}", *(cell(a and b and a / b, "{:.2f}") for a, b in speeds)])
    if len(rows) > 1:
        print("\n# Times as fast as a peer at its best")
        table(rows)


def scaled(report, bandwidth):
    """Decoding as fast as the memory allows today; prefill is bound by arithmetic and stands as it was."""
    decode = [entry | {"tokens_per_s": entry["tokens_per_s"] * bandwidth / IK_BANDWIDTH} for entry in report["decode"]]
    return report | {"program": "ik_llama.cpp*", "decode": decode}


def arguments():
    parser = argparse.ArgumentParser(prog="scripts/bench-peers")
    parser.add_argument("qnext", help=argparse.SUPPRESS)
    parser.add_argument("work", type=pathlib.Path, help=argparse.SUPPRESS)
    parser.add_argument("--json", type=pathlib.Path, metavar="FILE", help="write all reports into this file too")
    parser.add_argument("--recipes", default="4bit,3bit,qx53n,qx86n-hi", help="of qnext (%(default)s)")
    parser.add_argument("--gguf", default="Q4_K_M,Q3_K_M,Q4_0", help="types of llama.cpp (%(default)s)")
    parser.add_argument("--threads", type=int, default=2, help="of qnext and llama.cpp (%(default)s)")
    parser.add_argument("--without", action="append", default=[], choices=("qnext", "llama.cpp", "mlx-lm"))
    return parser.parse_args()


def main():
    asked = arguments()
    began = datetime.datetime.now().astimezone().isoformat(timespec="seconds")
    recipes = [] if "qnext" in asked.without else asked.recipes.split(",")
    types = [] if "llama.cpp" in asked.without else asked.gguf.split(",")
    reports = []
    for i in range(max(len(recipes), len(types))):
        reports += [qnext(asked.qnext, recipe, asked.threads) for recipe in recipes[i : i + 1]]
        for file_type in types[i : i + 1]:
            reports += llama_cpp(asked.work, file_type, asked.threads)
    if "mlx-lm" not in asked.without:
        reports.append(mlx_lm(asked.work))

    measured = [report["limits"]["memory_read_bytes_per_s"] for report in reports if "limits" in report]
    bandwidth = max(measured, default=None)
    processor = next((report["machine"]["cpu"] for report in reports if "machine" in report), platform.machine())
    machine = {"processor": processor, "threads": asked.threads, "memory_read_bytes_per_s": bandwidth}
    command = " ".join(["scripts/bench-peers", *sys.argv[3:]])
    read = f"memory reads {bandwidth / 1e9:.1f} GB/s" if bandwidth else "memory bandwidth not measured, as it is qnext's"
    print(f"# {began}, {command}\n# {processor}, {asked.threads} threads, {read}")
    print("# " + ", ".join(sorted({report["program"] + " " + report["version"] for report in reports})))
    print("# Tokens per second at depths, share of the memory bandwidth at the same depths, prefill in tokens per second")
    if bandwidth:
        for report in reports:
            shares(report, bandwidth)
        reports += [scaled(report, bandwidth) for report in IK]
    speeds(reports)
    ratios(reports)
    if "mlx-lm" not in asked.without:
        print("\nmlx-lm: reckoned from 4 of the 48 layers and the head, on the one thread that MLX's CPU device has")
    if bandwidth:
        print("* not run: this project's issue 5 has the figures; decoding scaled from 47 GB/s to today's bandwidth")
    if asked.json:
        asked.json.write_text(json.dumps({"began": began, "command": command, "machine": machine, "reports": reports}, indent=2) + "\n")


if __name__ == "__main__":
    main()
