"""Trains the tokenizer: byte-level BPE with the pre-tokenizer, normalizer and file layout of the Qwen family.

Digits stand alone, so sums are spelled digit by digit. The vocabulary comes from the made-up text of corpus.py
and a list of plain English words (words.txt), so that all entries are real and a listener's words do not fall apart.
    python tokenizer.py OUT_DIR
"""
import json
import os
import random
import re
import sys

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

import corpus

VOCABULARY = 2048
SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
SPLIT = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")

CHAT_TEMPLATE = """{%- for message in messages %}
    {%- if message.role not in ['system', 'user', 'assistant'] %}
        {{- raise_exception('This small model knows the roles system, user and assistant, not ' + message.role) }}
    {%- endif %}
    {{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>\\n' }}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\\n' }}
{%- endif %}
"""


def text():
    """Conversations, then the word list, as a child would meet each word a few times."""
    rng = random.Random("tokenizer")
    for _ in range(12000):
        for role, content in corpus.conversation(rng):
            yield role
            yield content
    words = open(os.path.join(corpus.HERE, "words.txt"), encoding="utf-8").read().split()
    for _ in range(5):
        yield " " + " ".join(words)


def build():
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(SPLIT), behavior="isolated", invert=False),
        pre_tokenizers.ByteLevel(add_prefix_space=False, trim_offsets=False, use_regex=False)])
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=VOCABULARY - len(SPECIAL), min_frequency=2, show_progress=False,
                                  initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()))
    tokenizer.train_from_iterator(text(), trainer)
    tokenizer.add_special_tokens([AddedToken(t, normalized=False, special=True) for t in SPECIAL])     # last, as Qwen has them
    return tokenizer


def write(tokenizer, out):
    os.makedirs(out, exist_ok=True)
    tokenizer.save(os.path.join(out, "tokenizer.json"))
    added = {str(tokenizer.token_to_id(t)): {"content": t, "lstrip": False, "normalized": False, "rstrip": False, "single_word": False,
                                             "special": True} for t in SPECIAL}
    with open(os.path.join(out, "tokenizer_config.json"), "w") as f:
        json.dump({"add_bos_token": False, "add_prefix_space": False, "added_tokens_decoder": added,
                   "additional_special_tokens": SPECIAL[1:], "bos_token": None, "chat_template": CHAT_TEMPLATE,
                   "clean_up_tokenization_spaces": False, "eos_token": "<|im_end|>", "errors": "replace",
                   "model_max_length": 2048, "pad_token": "<|endoftext|>", "split_special_tokens": False,
                   "tokenizer_class": "Qwen2Tokenizer", "unk_token": None}, f, indent=2)
        f.write("\n")


SUM = re.compile(r"\d+ \+ \d+ = ")


class Messages:
    """Turns one message into token ids and loss weights: 1 or more for what the model says, little for what it hears."""
    def __init__(self, tokenizer):
        self.tokenizer = tokenizer
        self.end, self.start, self.close = (tokenizer.token_to_id(t) for t in SPECIAL)
        self.line = tokenizer.encode("\n").ids
        self.head = {r: [self.start] + tokenizer.encode(r).ids + self.line for r in ("system", "user", "assistant")}

    def __call__(self, role, content):
        if role == "end":
            return [self.end], [0.1]
        ids = self.tokenizer.encode(content).ids + [self.close]
        head = self.head[role]
        said = 0.1 if role != "assistant" else 3.0 if SUM.match(content) else 1.0     # a sum is short and must be exact
        return head + ids + self.line, [0.05] * len(head) + [said] * len(ids) + [0.05] * len(self.line)


if __name__ == "__main__":
    made = build()
    write(made, sys.argv[1])
    print(f"tokenizer: {made.get_vocab_size()} entries in {sys.argv[1]}")
