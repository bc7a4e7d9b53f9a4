"""Speed of tokenizers and tiktoken with the same vocabulary and texts: peers.py TOKENIZER.json TEXT...

Prints MB/s (10^6 bytes of UTF-8) of the first pass and the median of five more, on one thread, then the number and
CRC-32 of the ids of tokenizers, as dev.qnext.bench.TokenizerIds prints ours.
"""

import array
import json
import os
import statistics
import sys
import time
import zlib

os.environ["TOKENIZERS_PARALLELISM"] = "false"
os.environ["RAYON_NUM_THREADS"] = "1"

import tiktoken
import tokenizers


def ranks(entries):
    """tiktoken's view of the vocabulary: bytes to rank."""
    byte_of = {}
    others = 0
    for byte in range(256):
        if 0x21 <= byte <= 0x7E or 0xA1 <= byte <= 0xAC or 0xAE <= byte:
            byte_of[chr(byte)] = byte
        else:
            byte_of[chr(256 + others)] = byte
            others += 1
    return {bytes(byte_of[c] for c in entry): rank for entry, rank in entries.items()}


def speeds(encode, text, megabytes):
    passes = []
    for _ in range(6):
        start = time.perf_counter()
        encode(text)
        passes.append(megabytes / (time.perf_counter() - start))
    return passes[0], statistics.median(passes[1:])


file, *texts = sys.argv[1:]
reference = tokenizers.Tokenizer.from_file(file)
with open(file, encoding="utf-8") as source:
    vocabulary = json.load(source)
pattern = vocabulary["pre_tokenizer"]["pretokenizers"][0]["pattern"]["Regex"]
other = tiktoken.Encoding(
    "qwen", pat_str=pattern, mergeable_ranks=ranks(vocabulary["model"]["vocab"]), special_tokens={}
)

print(f"{'peers, MB/s':<12} {'tokenizers':>17} {'tiktoken':>17}")
print(f"{'':<12} {'first':>8} {'warm':>8} {'first':>8} {'warm':>8}")
sums = []
for name in texts:
    with open(name, encoding="utf-8", newline="") as source:
        text = source.read()
    megabytes = len(text.encode()) / 1e6
    of_reference = speeds(lambda t: reference.encode(t, add_special_tokens=False), text, megabytes)
    of_other = speeds(other.encode_ordinary, text, megabytes)
    print(
        f"{os.path.basename(name):<12} {of_reference[0]:8.1f} {of_reference[1]:8.1f} {of_other[0]:8.1f} {of_other[1]:8.1f}"
    )
    ids = array.array("i", reference.encode(text, add_special_tokens=False).ids)
    sums.append(f"{os.path.basename(name)} {len(ids)} {zlib.crc32(ids.tobytes()):08x}")
with open(os.environ["IDS"], "w") as out:
    out.write("\n".join(sums) + "\n")
