"""mlx-lm as converter and as reference: its own loading, quantizing and saving; its forward pass in float32, on the CPU.

float32 means: a saved checkpoint is loaded, then every floating tensor (scales, biases, plain weights) is widened;
packed codes and u8 scales stay, so the quantized kernels run on float32 activations.
"""

import contextlib
import io

import mlx.core as mx
import numpy as np
from mlx.utils import tree_map
from mlx_lm.models import qwen3_next
from mlx_lm.models.cache import make_prompt_cache
from mlx_lm.utils import load_model, quantize_model, save_config, save_model

from prompts import Run

mx.set_default_device(mx.cpu)


def convert(source, folder, config, predicate=None, **quantization):
    """Makes an MLX checkpoint of a published one.

    config: complete, in the older style that mlx-lm reads
    quantization: bits, group_size, mode; nothing for a plain conversion
    predicate: path -> what mlx-lm's quant_predicate returns
    """
    model, config = load_model(source, lazy=True, model_config=config)
    if quantization:
        with contextlib.redirect_stdout(io.StringIO()):
            options = {"group_size": None, "bits": None} | quantization
            model, config = quantize_model(model, config, quant_predicate=predicate, **options)
    save_model(folder, model)
    save_config(config, config_path=folder / "config.json")


class Model:
    def __init__(self, folder):
        self.model, _ = load_model(folder)
        floating = lambda x: x.astype(mx.float32) if mx.issubdtype(x.dtype, mx.floating) else x
        self.model.update(tree_map(floating, self.model.parameters()))
        self.model.eval()

    def forward(self, ids, cache=None):
        """ids [B, T] behind what the cache has read -> Run, and the cache."""
        cache = cache or make_prompt_cache(self.model)
        with recorded() as margins:
            logits = self.model(mx.array(ids), cache=cache)
            mx.eval(logits, margins)
        return Run.of(np.array(logits), [np.array(m) for m in margins]), cache


@contextlib.contextmanager
def recorded():
    """The routers' margins of the passes inside."""
    block = qwen3_next.Qwen3NextSparseMoeBlock
    call, margins = block.__call__, []

    def recording(self, x):
        if self.top_k < self.num_experts:
            best = mx.sort(self.gate(x), axis=-1)
            margins.append(best[..., -self.top_k] - best[..., -self.top_k - 1])
        return call(self, x)

    block.__call__ = recording
    try:
        yield margins
    finally:
        block.__call__ = call
