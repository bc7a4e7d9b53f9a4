"""Writes models/demo/README.md, the model card: every figure in it comes from a measurement of this run.

    python card.py --model DIR --evaluation FILE --checkpoint FILE
"""
import argparse
import json
import os

import torch

TEXT = """---
license: apache-2.0
language: en
library_name: qnext
---
# The demonstration model of qnext

A very small Qwen3-Next, trained from nothing on text that a program made up. It exists so that you can talk to
something a minute after cloning, and so that speed, recipes and speculation can be measured on trained weights. It
is a demonstration, not an assistant: it knows bedtime stories, questions about them, a little small talk, and sums
up to 20. It says so when it is asked for anything else, most of the time. Outside of that, expect nonsense.

    echo "Tell me a bedtime story about a bear." | scripts/qnext chat

## What it is

| | |
|---|---|
| architecture | `qwen3_next`: {layers} layers, full attention every {interval}th, gated delta net in the others |
| width | {hidden}; attention {heads} heads ({kv} KV) of {head_dim}; delta net {lk} key and {lv} value heads of {ld} |
| experts | {experts}, {top} per token, and one shared expert, {inner} wide |
| vocabulary | {vocab}, byte-level BPE; context {context} (trained on {length} tokens at a time) |
| parameters | {total:,}, of them {mtp:,} in the MTP layer |
| format | MLX, 8 bits in groups of 64 (`model.safetensors`); MTP layer in bf16 (`mtp.safetensors`) |
| training | {tokens:.1f} million tokens, {steps} steps, {minutes:.0f} minutes by the clock on two CPU cores |

## What was measured

By `scripts/demo-model/evaluate.py` on these files, dequantized to float32; stories are sampled with
`generation_config.json` (temperature {temperature}, top-p {top_p}, top-k {top_k}).

| | |
|---|---|
| held-out loss, per token that the model says | {held_out_loss:.3f} (MTP layer {held_out_mtp_loss:.3f}) |
| MTP layer agrees with the main model (greedy, one token ahead, on held-out text) | {mtp_agreement:.1%} |
| sums a + b up to 20 that are right | {sums:.1%} of 231 |
| questions about a story, answered in one of the expected wordings | {questions:.1%} of {question_count} |
{stories}
"A stranger" is a name or an animal that appears without being introduced; "a contradiction" is one name for two, or a
second place, meal or elder (by the word lists of the grammar). Samples, not selected:

{samples}

## Limits

- It continues patterns of {plots} plots; many stories in a row will feel alike. A wish for the hero, its name or its
  character is mostly kept; a wish for a second animal or for a plot is often ignored.
- A hero that it did not meet in training, or met rarely, is replaced by another one (see the table).
- Names hold through a story. Places and meals sometimes change on the way, hero and friend sometimes get the same name,
  and now and then a pronoun is wrong (see "contradiction" in the table).
- Questions are understood in the wordings of the grammar; an answer can name somebody else (see the table; right answers in
  other words count as wrong there).
- After about {length} tokens of conversation it is beyond what it was trained on.
- Sums above 20, facts, code, translation, other languages: it cannot do them, and sometimes it does not notice.

## How it was made

`scripts/demo-model/build` makes everything again: text, tokenizer, training, export, measurements. The text is drawn
from the grammar in `scripts/demo-model/` (corpus.py, plots.txt), with the heroes, names and wordings listed there; no
text, weight, vocabulary or template of another project is in it. The learning rate follows the clock, so another machine
makes another model. Licence: Apache-2.0.
{note}"""


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--model", required=True)
    p.add_argument("--evaluation", required=True)
    p.add_argument("--checkpoint", required=True)
    p.add_argument("--length", type=int, default=512)
    p.add_argument("--note", help="one more paragraph about this copy")
    a = p.parse_args()
    import corpus
    with open(os.path.join(a.model, "config.json")) as f: c = json.load(f)
    with open(os.path.join(a.model, "generation_config.json")) as f: g = json.load(f)
    with open(a.evaluation) as f: e = json.load(f)
    checkpoint = torch.load(a.checkpoint, map_location="cpu")
    sizes = {n: w.numel() for n, w in checkpoint["model"].items()}
    rows, samples = "", ""
    for label in [k for k in e if k.endswith("heroes") or k.startswith("heroes")]:
        s = e[label]
        rows += (f"| stories about {label} ({s['stories']}): the hero is the one asked for | {s['hero_right']:.1%} |\n"
                 f"| … name mentions that belong to the story | {s['name_mentions_that_belong']:.1%} |\n"
                 f"| … stories without a stranger | {s['stories_without_a_stranger']:.1%} |\n"
                 f"| … stories without a contradiction | {s['stories_without_a_contradiction']:.1%} |\n"
                 f"| … words, mean and fewest | {s['mean_words']:.0f}, {s['fewest_words']} |\n")
        samples += "".join(f"> {t}\n\n" for t in s["samples"][:2])
    samples += "\n".join(f"- *{q}* → {t}" for q, t in e["talk"])
    card = TEXT.format(layers=c["num_hidden_layers"], interval=c["full_attention_interval"], hidden=c["hidden_size"],
                       heads=c["num_attention_heads"], kv=c["num_key_value_heads"], head_dim=c["head_dim"],
                       lk=c["linear_num_key_heads"], lv=c["linear_num_value_heads"], ld=c["linear_key_head_dim"],
                       experts=c["num_experts"], top=c["num_experts_per_tok"], inner=c["moe_intermediate_size"],
                       vocab=c["vocab_size"], context=c["max_position_embeddings"], length=a.length,
                       total=sum(sizes.values()), mtp=sum(n for k, n in sizes.items() if k.startswith("mtp.")),
                       tokens=checkpoint["tokens"] / 1e6, steps=checkpoint["step"], minutes=checkpoint["spent"] / 60,
                       plots=len(corpus.PLOTS), note="\n" + a.note + "\n" if a.note else "", stories=rows, samples=samples, question_count=e["question_count"],
                       **{k: g[k] for k in ("temperature", "top_p", "top_k")},
                       **{k: e[k] for k in ("held_out_loss", "held_out_mtp_loss", "mtp_agreement", "sums", "questions")})
    with open(os.path.join(a.model, "README.md"), "w", encoding="utf-8") as f: f.write(card)
    print(f"card: {os.path.join(a.model, 'README.md')}")


if __name__ == "__main__":
    main()
