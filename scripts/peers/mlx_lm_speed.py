"""Measures mlx-lm on MLX's CPU device, whose one thread needs seconds for a token: on one period of the layers.

    mlx_lm_speed.py FOLDER      prints one JSON object; FOLDER is made by scripts/host/checkpoint.py's code, 0.9 GB

A period is four layers, three with linear and one with full attention; the model has twelve of them and one head. A
token of the whole model is reckoned as the head's time and twelve times the rest. 4 bit in groups of 64, scales and
activations f32: in bf16 the CPU device is several times slower and inexact.
"""

import json
import pathlib
import sys
import time

import mlx.core as mx
from mlx_lm.models.cache import make_prompt_cache
from mlx_lm.utils import load_model

sys.path.append(str(pathlib.Path(__file__).parents[1] / "host"))
import checkpoint

PERIOD, PERIODS = 4, 12
STEPS = 4
PREFILL = 128


def timed(compute):
    started = time.perf_counter()
    mx.eval(compute())
    return time.perf_counter() - started


def main(folder):
    checkpoint.SHAPES["period"] = dict(checkpoint.PUBLISHED, num_hidden_layers=PERIOD, num_experts=64)
    checkpoint.main("period", folder)
    mx.set_default_device(mx.cpu)
    mx.random.seed(1)
    model, _ = load_model(pathlib.Path(folder), lazy=True)
    model.set_dtype(mx.float32)
    mx.eval(model.parameters())

    def layers(tokens, cache):
        return model.model(mx.random.randint(0, checkpoint.PUBLISHED["vocab_size"], (1, tokens)), cache=cache)

    def scaled(tokens, count, cache):
        return PERIODS * min(timed(lambda: layers(tokens, cache)) for _ in range(count))

    cache = make_prompt_cache(model)
    hidden = layers(1, cache)
    mx.eval(hidden)
    head = min(timed(lambda: model.lm_head(hidden)) for _ in range(STEPS))
    decode = scaled(1, STEPS, cache) + head
    prefill = scaled(PREFILL, 1, make_prompt_cache(model)) + head
    report = {
        "measured_layers": PERIOD,
        "decode": [{"depth": 0, "tokens": STEPS, "tokens_per_s": 1 / decode}],
        "prefill": [{"tokens": PREFILL, "tokens_per_s": PREFILL / prefill}],
    }
    print(json.dumps(report))


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
