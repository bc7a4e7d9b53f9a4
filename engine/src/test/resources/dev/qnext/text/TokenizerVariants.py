"""Makes TokenizerVariants.jsonl: what the tokenizers library gives for other settings than Qwen3's.

    pip install tokenizers==0.23.3
    python TokenizerVariants.py path/to/small_tokenizer.json > TokenizerVariants.jsonl

A line is a tokenizer (members that replace those of small_tokenizer.json; within "model" too) with
texts, their ids, and the text of these ids with and without special tokens.
"""

import itertools
import json
import random
import sys

from tokenizers import Tokenizer

base = json.load(open(sys.argv[1], encoding="utf-8"))

BYTE_LEVEL = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}
GPT2 = BYTE_LEVEL | {"use_regex": True}
QWEN35 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}"
    r"| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
LLAMA3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
CL100K = (
    r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+"
)
O200K = (
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
    r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
    r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
DEEPSEEK = (
    r"[!\"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+"
    r"| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


def split(pattern, behavior="Isolated", invert=False):
    return {"type": "Split", "pattern": pattern, "behavior": behavior, "invert": invert}


def steps(*items):
    return {"type": "Sequence", "pretokenizers": list(items)}


def by_regex(pattern, **flags):
    return {"pre_tokenizer": steps(split({"Regex": pattern}, **flags), BYTE_LEVEL)}


def by_string(text, **flags):
    return {"pre_tokenizer": steps(split({"String": text}, **flags), BYTE_LEVEL)}


def added(*tokens):
    """An added token has its id in the vocabulary, else the next one behind it."""
    vocabulary = base["model"]["vocab"]
    free = itertools.count(len(vocabulary))
    flags_of_all = ["single_word", "lstrip", "rstrip", "normalized", "special"]
    return [
        {"id": vocabulary[content] if content in vocabulary else next(free), "content": content}
        | {flag: flag in flags for flag in flags_of_all}
        for content, *flags in tokens
    ]


STRIPPED = added(
    ("<l>", "lstrip"),
    ("<r>", "rstrip", "special"),
    ("<lr>", "lstrip", "rstrip"),
    ("word", "single_word"),
    ("<w>", "single_word", "lstrip", "rstrip", "special"),
    ("  ",),
    (" \n x", "rstrip"),
    ("<|a", "special"),
    ("<|a|>",),
    ("|>",),
    ("e\u0301", "normalized"),
    ("\u00e5", "normalized", "special"),
    ("N\u0303", ),
    ("\u00e9t\u00e9",),
    ("\u4f60\u597d", "lstrip"),
    ("\U0001f600\U0001f600", "rstrip"),
)

TINY = {
    "model": base["model"] | {
        "vocab": {"a": 7, "b": 3, "ab": 900, "\u0120": 2, "\u00c3": 5, "\u0120a": 11, "\u4f60": 20, "<s>": 30},
        "merges": [["\u0120", "a"], ["a", "b"]],
    },
    "added_tokens": [
        {"id": 30, "content": "<s>", "single_word": False, "lstrip": False, "rstrip": False, "normalized": False,
         "special": True},
    ],
}

VARIANTS = {
    "qwen3": {},
    "qwen3.5": by_regex(QWEN35),
    "gpt2": {"pre_tokenizer": GPT2, "normalizer": None},
    "gpt2, flag by default": {"pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True}},
    "gpt2 with a space before": {"pre_tokenizer": GPT2 | {"add_prefix_space": True}},
    "no regex": {"pre_tokenizer": BYTE_LEVEL, "normalizer": {"type": "Sequence", "normalizers": []}},
    "space before all pieces": {"pre_tokenizer": steps(split({"String": "a"}), GPT2 | {"add_prefix_space": True})},
    "llama3": by_regex(LLAMA3),
    "cl100k": by_regex(CL100K),
    "o200k": by_regex(O200K),
    "deepseek": {
        "pre_tokenizer": steps(
            split({"Regex": r"\p{N}{1,3}"}),
            split({"Regex": "[\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff]+"}),
            split({"Regex": DEEPSEEK}),
            BYTE_LEVEL,
        )
    },
    "matches only": by_regex(LLAMA3, behavior="Removed", invert=True),
    "words only": by_regex(r"\p{Han}|\p{L}+", behavior="Removed", invert=True),
    "without digits": by_regex(r"\d", behavior="Removed"),
    "empty matches": by_regex(r"\p{L}*", behavior="Isolated", invert=True),
    "empty matches, by look-ahead": by_regex(r"(?=\P{L})|\u0041+?"),
    "spaces by themselves": by_string(" "),
    "spaces removed": by_string(" ", behavior="Removed"),
    "a literal that is a pattern": by_string("."),
    "sequences in sequences": {
        "pre_tokenizer": steps(steps(split({"String": "e"})), steps(steps(GPT2))),
        "normalizer": {"type": "Sequence", "normalizers": [{"type": "NFC"}]},
    },
    "ignore merges": {"model": base["model"] | {"ignore_merges": True}, "pre_tokenizer": GPT2},
    "without merges": {"model": base["model"] | {"merges": []}},
    "whole entries alone": {"model": base["model"] | {"merges": [], "ignore_merges": True}},
    "stripping added tokens": {"added_tokens": STRIPPED},
    "stripping added tokens, no normalizer": {"added_tokens": STRIPPED, "normalizer": None},
    "bytes without entry": TINY,
}

TEXTS = [
    "",
    "The lighthouse wasn't there; she'd rowed for 1234567 hours, I'LL say.",
    "  two  spaces\tand tabs \t\n\n  new lines \r\n\r\n   end   ",
    "'S 's '\u017f 'Ll 'l 'r 'RE 'vE' ''s'd'dd don\u2019t",
    "cafe\u0301 caf\u00e9 A\u030a N\u0303 \u00d1 e\u0301te\u0301 \u00e9t\u00e9 \u1e9b\u0323 \ufb01",
    "\u4f60\u597d\u4e16\u754c \u3053\u3093\u306b\u3061\u306f \uc548\ub155 \u0939\u093f\u0928\u094d\u0926\u0940 \u0e44\u0e17\u0e22 \u0627\u0644\u0639",
    "\U0001f600\U0001f600\U0001f600 \U0001f468\u200d\U0001f469\u200d\U0001f467 \U0001d400\U0001d7ce \u2460\u216b\u00bd\u0663",
    "\u3000\u3000x \u00a0y\u0085\u2028z\u2029 \u180e\u200b\ufeff\u001c\u001f",
    "a_b-c/d\\e;f:g,h.i!j?k(l)m[n]o{p}q<r>s|t`u~v@w#x$y%z^0&1*2+3=4",
    "int main(void) {\n    return 0;\n}\n\n\tx += y;\n",
    "<|im_start|>user\nhi<|im_end|>\n<think> x</think>",
    "a <l> b <r> c <lr>  d  <l><r>  <lr>\n<l>",
    "word words sword word. _word word_ word\u0301 \u4f60word  <w>  x<w>y <w>",
    "<|a|> <|a <|a|a|>  <|ab|>|>    x \n x \n  \n x   y",
    "\u00e9t\u00e9 e\u0301te\u0301 e\u0301 \u00e5A \u0061\u030a N\u0303N\u0303 \u00d1   \u4f60\u597d \U0001f600\U0001f600 \U0001f600",
    "<s>ab a abab\u00c3\u00e9 b<s><s> \u4f60ba",
    "AAA aAa BBBcccDDD HTTPServer's camelCase'LL X",
]


def random_text(generator):
    pieces = [" ", "  ", "\n", "\r\n", "\t", "'s", "'", "a", "B", "the", " she", "1", "23", "\u00e9", "e\u0301", "\u0301", "\u4f60",
              "\U0001f600", "\u00a0", "\u3000", "!", "...", "<", "|>", "<l>", "<r>", "<w>", "word", "<|a", "x", "\u0663", "_"]
    return "".join(generator.choice(pieces) for _ in range(generator.randrange(1, 30)))


generator = random.Random(3)
TEXTS += [random_text(generator) for _ in range(40)]

for name, members in VARIANTS.items():
    tokenizer = Tokenizer.from_str(json.dumps(base | members))
    cases = []
    for text in TEXTS:
        ids = tokenizer.encode(text).ids
        decoded = tokenizer.decode(ids, skip_special_tokens=False)
        cases.append({"text": text, "ids": ids, "decoded": decoded,
                      "decoded_skip_special": tokenizer.decode(ids, skip_special_tokens=True)})
    if "model" in members:
        small = {key: value for key, value in members["model"].items() if base["model"].get(key) != value}
        members = members | {"model": small}
    print(json.dumps({"name": name, "members": members, "cases": cases}, separators=(",", ":")))
