"""Writes what a correct runtime must compute from models/demo: fixtures for the tests of the Java code.

    python golden.py --model DIR --out DIR

The 8-bit weights are dequantized to float32 (scale * q + bias, bf16 scales widened) and run by transformers in
float32; the MTP layer, which transformers has not, by model.py in float32.
expected.json         prompts: ids, argmax and margin (best minus second logit) at every position, 40 greedy tokens
                      (ends ignored), mtp_argmax at positions 0..n-2 of ids + greedy: from (H[t], x[t+1]), for x[t+2]
expected.safetensors  logits [T, V] and mtp_logits [T-1, V] of the prompt "logits_ids" in expected.json
tokenizer_cases.jsonl {"text", "ids"} by the tokenizers library
"""
import argparse
import json
import os

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer
from transformers import AutoTokenizer

from load import load

PROMPTS = [
    [{"role": "user", "content": "Tell me a bedtime story about a bear."}],
    [{"role": "system", "content": "You are a storyteller."}, {"role": "user", "content": "hi"},
     {"role": "assistant", "content": "Hello! Would you like a bedtime story?"}, {"role": "user", "content": "What can you do?"}],
    [{"role": "user", "content": "what is 7 + 8?"}],
]
LONG = "Once upon a time there was a shy fox called Luna. Luna lived in a hollow tree near the river with her uncle. One windy day Luna could not find her blue lantern."
CASES = ["", " ", "  ", "\n", "\n\n", " \n ", "a", "Hello", "hello world", "Tell me a bedtime story about a bear.", "what is 7 + 8?", "7+8=15", "12345", "3.14", "1 000",
         "I'm, you're, he'll, she'd, we've, it's, don't", "I'M YOU'RE HE'LL", "Luna's kite", "'s", "''s'", "\"Hello!\" said Pip. \"Good night.\"",
         "a  b   c    d", "tab\tand\ttabs", "line\nline\r\nline\n\n\nline", "trailing  ", "  leading", "!!! ???", "... --- ...", "(a) [b] {c}", "x=1;y=2", "snake_case camelCase",
         "café", "cafe\u0301", "\u00c5ngstr\u00f6m", "A\u030angstrom", "naïve résumé", "Straße", "Привет, мир", "你好，世界", "こんにちは", "안녕하세요", "مرحبا", "שלום", "नमस्ते",
         "🙂", "👩‍👩‍👧", "🐻 and 🦊", "½ ² ③ Ⅳ", "٣٤", "\u00a0nbsp\u00a0", "zero\u200bwidth", "\ufeffbom", "\x00", "\x7f", "a\u2028b", "ﬁ", "e\u0301\u0301",
         "<|im_start|>user\nhi<|im_end|>\n", "<|im_start|>", "<|im_end|><|endoftext|>", "<|im_start|", "a<|im_end|>b", " <|im_end|> ", "<|IM_END|>",
         "<|im_start|>system\nYou are a storyteller.<|im_end|>\n<|im_start|>user\nTell me a story.<|im_end|>\n<|im_start|>assistant\n",
         "The quick brown fox jumps over the lazy dog.", "supercalifragilisticexpialidocious", "Zzzyzx Qwghlm", "public static void main(String[] args) { return; }",
         "https://example.org/a?b=c&d=e#f", "100% of $5.00 & more", "ALL CAPS HERE", "MiXeD cAsE", "walrus badger lemur gecko", "aaaaaaaaaaaaaaaaaaaaaaaa", "a\u0300\u0301b", LONG]


@torch.no_grad()
def main():
    p = argparse.ArgumentParser()
    p.add_argument("--model", required=True)
    p.add_argument("--out", required=True)
    a = p.parse_args()
    torch.set_num_threads(1)
    os.makedirs(a.out, exist_ok=True)
    ours, theirs = load(a.model)
    tokenizer = Tokenizer.from_file(os.path.join(a.model, "tokenizer.json"))
    chat = AutoTokenizer.from_pretrained(a.model)
    worst = 0.0

    def run(ids):
        """Logits by transformers and MTP logits by model.py; checks that both main models agree."""
        nonlocal worst
        x = torch.tensor([ids])
        logits = theirs(x).logits[0]
        h, _ = ours.hidden(x)
        worst = max(worst, (ours.logits(h)[0] - logits).abs().max().item())
        z, _ = ours.draft(h[:, :-1], x[:, 1:])
        return logits, ours.logits(z)[0]

    prompts = []
    for messages in PROMPTS:
        text = chat.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
        ids = tokenizer.encode(text).ids
        assert ids == list(chat(text)["input_ids"])
        sequence, cache, new = list(ids), None, ids
        for _ in range(40):
            out = theirs(torch.tensor([new]), past_key_values=cache, use_cache=True)
            cache, new = out.past_key_values, [out.logits[0, -1].argmax().item()]
            sequence += new
        logits, mtp = run(sequence)
        assert sequence[len(ids):] == logits[len(ids) - 1:-1].argmax(-1).tolist(), "one token at a time differs from all at once"
        top = logits[:-1].topk(2).values
        prompts.append({"messages": messages, "text": text, "ids": ids, "argmax": logits[:len(ids)].argmax(-1).tolist(),
                        "greedy": sequence[len(ids):], "greedy_text": tokenizer.decode(sequence[len(ids):], skip_special_tokens=False),
                        "min_margin": round((top[:, 0] - top[:, 1]).min().item(), 5), "mtp_argmax": mtp.argmax(-1).tolist()})
    long = tokenizer.encode(LONG).ids[:40]
    logits, mtp = run(long)
    tensors = os.path.join(a.out, "expected.safetensors")
    save_file({"logits": logits.contiguous(), "mtp_logits": mtp.contiguous()}, tensors)
    os.chmod(tensors, 0o644)
    with open(os.path.join(a.out, "expected.json"), "w", encoding="utf-8") as f:
        json.dump({"model": "models/demo", "reference": "transformers 5.23.0, float32, weights dequantized from 8 bits; MTP by scripts/demo-model/model.py",
                   "max_difference_of_the_two_references": worst, "prompts": prompts, "logits_text": LONG, "logits_ids": long}, f, ensure_ascii=False, indent=1)
        f.write("\n")
    with open(os.path.join(a.out, "tokenizer_cases.jsonl"), "w", encoding="utf-8") as f:
        for text in CASES: f.write(json.dumps({"text": text, "ids": tokenizer.encode(text).ids}) + "\n")
    print(f"golden: transformers and model.py differ by at most {worst:.2e}; {len(CASES)} tokenizer cases; smallest margins {[q['min_margin'] for q in prompts]}")


if __name__ == "__main__":
    main()
