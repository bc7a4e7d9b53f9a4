"""Prompts on which two correct implementations must agree.

A router that has to choose between two nearly equal experts, or an argmax between two nearly equal logits, may fall
either way by the last bit. So prompts are the best of some random candidates: their smallest margins are the largest.
"""

import dataclasses

import numpy as np

LENGTHS = (1, 7, 65, 130)
GREEDY_PROMPT = 20
GREEDY_TOKENS = 24


@dataclasses.dataclass
class Run:
    """logits [B, T, V]; router, top2: the margins at every position [B, T]"""

    logits: np.ndarray
    router: np.ndarray
    top2: np.ndarray

    @staticmethod
    def of(logits, router_margins):
        best = np.partition(logits, -2, axis=-1)
        top2 = best[..., -1] - best[..., -2]
        router = np.full(top2.shape, np.inf)
        for margins in router_margins:
            router = np.minimum(router, margins)
        return Run(logits, router, top2)


@dataclasses.dataclass
class Prompt:
    """ids, and what must come out: logits [T, V] for a scored prompt, tokens for a continued one."""

    ids: list
    router_margin: float
    top2_margins: np.ndarray
    logits: np.ndarray | None = None
    tokens: list | None = None


def scored(model, vocabulary, seed, candidates):
    """One prompt of each length."""
    random = np.random.default_rng(seed)
    ids = random.integers(0, vocabulary, (candidates, max(LENGTHS)))
    run, _ = model.forward(ids.tolist())
    prompts = []
    for length in LENGTHS:
        margins = np.minimum(run.router[:, :length], run.top2[:, :length]).min(axis=1)
        best = int(margins.argmax())
        prompts.append(
            Prompt(
                ids=ids[best, :length].tolist(),
                router_margin=float(run.router[best, :length].min()),
                top2_margins=run.top2[best, :length],
                logits=run.logits[best, :length],
            )
        )
    return prompts


def continued(model, vocabulary, seed, candidates):
    """A prompt with its greedy continuation, decoded one token at a time with a cache."""
    random = np.random.default_rng(seed + 1)
    ids = random.integers(0, vocabulary, (candidates, GREEDY_PROMPT))
    run, cache = model.forward(ids.tolist())
    router = run.router.min(axis=1)
    tokens, top2 = [], []
    for step in range(GREEDY_TOKENS):
        tokens.append(run.logits[:, -1].argmax(axis=-1))
        top2.append(run.top2[:, -1])
        if step < GREEDY_TOKENS - 1:
            run, cache = model.forward(tokens[-1][:, None].tolist(), cache)
            router = np.minimum(router, run.router[:, -1])
    tokens, top2 = np.stack(tokens, 1), np.stack(top2, 1)
    best = int(np.minimum(router, top2.min(axis=1)).argmax())
    return Prompt(
        ids=ids[best].tolist(),
        router_margin=float(router[best]),
        top2_margins=top2[best],
        tokens=tokens[best].tolist(),
    )
