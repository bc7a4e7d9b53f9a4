"""Measures the exported model (the 8-bit folder, dequantized): what the model card says comes from here.

    python evaluate.py --model DIR [--stories 48] [--quick] [--json FILE]

held-out     loss of the main model and of the MTP layer on text with another seed, per token that the model says
agreement    how often the MTP layer's best token for x[t+2] is the main model's best token one step later
stories      sampled with generation_config.json: right hero, names and kinds that belong to the story, length
sums         all a + b with a result up to 20, greedy
questions    greedy answers about true stories; right when they are one of the grammar's answers for those facts
"""
import argparse
import json
import os
import random
import re

import torch
from tokenizers import Tokenizer

import corpus
from load import load
from tokenizer import Messages


class Speaker:
    """Batches of answers by transformers' generate; prompts are padded on the left."""
    def __init__(self, model, tokenizer, settings):
        self.model, self.tokenizer, self.settings, self.messages = model, tokenizer, settings, Messages(tokenizer)

    @torch.no_grad()
    def answers(self, conversations, limit, greedy):
        out = []
        for s in range(0, len(conversations), 24):
            prompts = [sum((self.messages(*m)[0] for m in c), []) + self.messages.head["assistant"] for c in conversations[s:s + 24]]
            longest = max(map(len, prompts))
            ids = torch.tensor([[self.messages.end] * (longest - len(p)) + p for p in prompts])
            mask = torch.tensor([[0] * (longest - len(p)) + [1] * len(p) for p in prompts])
            how = {"do_sample": False} if greedy else {k: self.settings[k] for k in ("do_sample", "temperature", "top_k", "top_p")}
            made = self.model.generate(ids, attention_mask=mask, max_new_tokens=limit, eos_token_id=self.settings["eos_token_id"],
                                       pad_token_id=self.messages.end, **how)
            out += [self.tokenizer.decode(m[longest:].tolist()) for m in made]
        return out


@torch.no_grad()
def held_out(ours, messages, rows, length=512):
    main = mtp = weight = agree = count = 0.0
    for i in range(0, rows, 8):
        made = [corpus.row(i + j, "held-out", messages, length + 2) for j in range(8)]
        x, w = torch.tensor([m[0] for m in made]), (torch.tensor([m[1] for m in made]) >= 1).float()
        h, _ = ours.hidden(x[:, :-2])
        z, _ = ours.draft(h, x[:, 1:-1])
        a, b = ours.logits(h), ours.logits(z)
        nll = lambda logits, t, u: (torch.nn.functional.cross_entropy(logits.flatten(0, 1), t.flatten(), reduction="none") * u.flatten()).sum().item()
        main, mtp, weight = main + nll(a, x[:, 1:-1], w[:, 1:-1]), mtp + nll(b, x[:, 2:], w[:, 2:]), weight + w[:, 2:].sum().item()
        same = (b[:, :-1].argmax(-1) == a[:, 1:].argmax(-1)).float() * w[:, 2:-1]
        agree, count = agree + same.sum().item(), count + w[:, 2:-1].sum().item()
    return main / weight, mtp / weight, agree / count


KINDS = set(corpus.HEROES + corpus.RARE_HEROES + corpus.HELD_OUT_HEROES) - {"star", "leaf", "tree", "flower", "stone", "wheel", "lamp", "boat", "train",
        "cloud", "plane", "car", "cook", "king", "queen", "farmer", "shepherd", "tailor", "chair", "hat", "giant", "mushroom", "spoon", "ship", "sheep", "captain", "pumpkin", "carrot"}


def inspect(text, asked):
    """(hero is what was asked for, name mentions that belong, all name mentions, kinds that do not belong)."""
    words = re.findall(r"[A-Za-z]+", text)
    introduced = re.findall(r"(?:called|named|name was|name is|friend|I am|of|see) ([A-Z][a-z]+)", text) + re.findall(r"([A-Z][a-z]+), an? [a-z]+", text)
    names = set(corpus.HIS + corpus.HER) | set(introduced)
    opening = " ".join(words[:40]).lower()
    known = set(introduced[:1]) | set(re.findall(r"([A-Z][a-z]+), an? [a-z]+", text)) | set(re.findall(r"(?:called|named|name is|name was|I am) ([A-Z][a-z]+)", text))
    mentions = [w for w in words if w in names]
    kinds = [w for w in (w.lower() for w in words) if w in KINDS]
    first_two = list(dict.fromkeys(kinds))[:2]
    return asked in opening, sum(m in known for m in mentions), len(mentions), [k for k in kinds if k not in first_two]


def contradictions(text):
    """What a story of this grammar never does: hero and friend of one name, two places, two meals, two elders."""
    lower, found = text.lower(), []
    named = list(dict.fromkeys(re.findall(r"(?:called|named|name is|name was|I am) ([A-Z][a-z]+)|([A-Z][a-z]+), an? [a-z]+", text)))
    if len({"".join(n) for n in named}) < 2: found.append("one name for two")
    for label, words in (("places", corpus.PLACES), ("meals", corpus.TREATS), ("elders", corpus.ELDERS)):
        seen = {w for w in words if re.search(rf"\b{w}\b", lower)}
        if label == "elders" and re.search(r"'s (mother|father) (ran|was)", text): continue      # the lost child has parents
        if len(seen) > 1: found.append(f"{label}: {', '.join(sorted(seen))}")
    return found


def stories(speaker, count):
    rng = random.Random("stories")
    seen = [h for h in corpus.COMMON + rng.sample(corpus.HEROES, count) if h in KINDS][:count]
    rare = corpus.HELD_OUT_HEROES * (count // 16)
    seed = 0
    results = {}
    for label, heroes in (("trained heroes", seen), ("heroes never seen in training", rare)):
        torch.manual_seed(seed)
        told = speaker.answers([[("user", f"Tell me a bedtime story about {corpus.article(h)}.")] for h in heroes], 420, greedy=False)
        checks = [inspect(t, h) for t, h in zip(told, heroes)]
        lengths = [len(t.split()) for t in told]
        results[label] = {"stories": len(told), "hero_right": sum(c[0] for c in checks) / len(checks),
                          "name_mentions_that_belong": sum(c[1] for c in checks) / max(1, sum(c[2] for c in checks)),
                          "stories_without_a_stranger": sum(c[1] == c[2] and not c[3] for c in checks) / len(checks),
                          "stories_without_a_contradiction": sum(not contradictions(t) for t in told) / len(told),
                          "mean_words": sum(lengths) / len(lengths), "fewest_words": min(lengths)}
        results[label]["samples"] = told[:3]
        results[label]["contradictions"] = [c for c in map(contradictions, told) if c][:12]
        results[label]["strangers"] = [(h, c[3]) for h, c in zip(heroes, checks) if c[3]][:8]
    return results


def sums(speaker):
    pairs = [(a, b) for a in range(21) for b in range(21 - a)]
    said = speaker.answers([[("user", f"what is {a} + {b}?")] for a, b in pairs], 24, greedy=True)
    wrong = [f"{a}+{b}: {s}" for (a, b), s in zip(pairs, said) if not re.search(rf"= {a + b}\b", s)]
    return 1 - len(wrong) / len(pairs), wrong[:8]


def questions(speaker, count):
    rng = random.Random("questions")
    asked, right = [], []
    for _ in range(count):
        request, facts = corpus.ask_story(rng)
        told = corpus.story(rng, facts)
        while True:
            q, a = rng.choice(corpus.PLOTS[facts["plot"]]["Q"] + corpus.GENERAL)
            if "They ate {treat}." not in a: break
        q = corpus.say(rng, rng.choice(q), facts)
        a = corpus.PLOTS[facts["plot"]][a[0][1:]] if a[0].startswith("@") else a
        asked.append([("user", request), ("assistant", told), ("user", q)])
        right.append({corpus.say(rng, w, facts) for w in a})
    said = speaker.answers(asked, 60, greedy=True)
    wrong = [(c[-1][1], s, sorted(r)[0]) for c, s, r in zip(asked, said, right) if s not in r]
    return 1 - len(wrong) / count, wrong[:8]


TALK = ["hi", "who are you?", "what can you do?", "3 plus 4", "what is 7 + 8?", "What is the capital of France?", "Write a Python program that sorts a list.", "what is 45 + 80?",
        "are you ChatGPT?", "I can't sleep.", "Thank you!", "good night"]


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--model", required=True)
    p.add_argument("--stories", type=int, default=48)
    p.add_argument("--questions", type=int, default=200)
    p.add_argument("--rows", type=int, default=64)
    p.add_argument("--threads", type=int, default=1)
    p.add_argument("--quick", action="store_true", help="stories and talk only")
    p.add_argument("--json")
    p.add_argument("--temperature", type=float, help="instead of the one in generation_config.json")
    a = p.parse_args()
    torch.set_num_threads(a.threads)
    ours, theirs = load(a.model)
    with open(os.path.join(a.model, "generation_config.json")) as f: settings = json.load(f)
    if a.temperature: settings["temperature"] = a.temperature
    speaker = Speaker(theirs, Tokenizer.from_file(os.path.join(a.model, "tokenizer.json")), settings)
    results = {}
    if not a.quick:
        results["held_out_loss"], results["held_out_mtp_loss"], results["mtp_agreement"] = held_out(ours, speaker.messages, a.rows)
        results["sums"], results["sums_wrong"] = sums(speaker)
        results["question_count"] = a.questions
        results["questions"], results["questions_wrong"] = questions(speaker, a.questions)
    results.update(stories(speaker, a.stories))
    torch.manual_seed(1)
    results["talk"] = list(zip(TALK, speaker.answers([[("user", t)] for t in TALK], 60, greedy=False)))
    print(json.dumps(results, indent=1, ensure_ascii=False))
    if a.json:
        with open(a.json, "w", encoding="utf-8") as f: json.dump(results, f, indent=1, ensure_ascii=False)


if __name__ == "__main__":
    main()
