"""One decode step of mlx-lm: its launches, the host time to build it, its logits.

    mlx_lm_step.py launches MODEL [CONTEXT]     kernels of one step, by primitive
    mlx_lm_step.py layers MODEL [CONTEXT]       the same for one layer of each kind, and for what lies around the layers
    mlx_lm_step.py build MODEL [STEPS]          milliseconds to build one step, medians: wall, processor
    mlx_lm_step.py logits MODEL OUT IDS...      logits of every position in f32 on MLX's CPU device, as safetensors

All but the last need dry-gpu.so preloaded.
The step is that of mlx_lm.generate.generate_step with greedy sampling, bf16 as on a Mac. MLX 0.32.2's gather_qmm lacks
the argument global_scale, which mlx-lm 0.32.2 passes as None for affine quantization; here it is left out.
"""

import ctypes
import pathlib
import statistics
import sys
import time

import mlx.core as mx
from mlx_lm.models import switch_layers
from mlx_lm.models.cache import make_prompt_cache
from mlx_lm.utils import load_model


def routed(self, x, indices, sorted_indices=False):
    return mx.gather_qmm(
        x,
        self["weight"],
        self["scales"],
        self.get("biases"),
        rhs_indices=indices,
        transpose=True,
        group_size=self.group_size,
        bits=self.bits,
        mode=self.mode,
        sorted_indices=sorted_indices,
    )


switch_layers.QuantizedSwitchLinear.__call__ = routed


class Step:
    """Tokens of one sequence: a prompt of CONTEXT tokens is behind it, then each call builds the next step."""

    def __init__(self, folder, context):
        self.model, _ = load_model(pathlib.Path(folder), lazy=True)
        mx.eval(self.model.parameters())
        self.cache = make_prompt_cache(self.model)
        for start in range(0, context, 2048):
            self.model(mx.zeros((1, min(2048, context - start)), mx.int32), cache=self.cache)
            mx.eval([c.state for c in self.cache])
        self.token = mx.zeros((1,), mx.int32)
        mx.eval(self.token)

    def build(self):
        logits = self.model(self.token[None], cache=self.cache)[:, -1, :]
        logprobs = logits - mx.logsumexp(logits, keepdims=True)
        self.token = mx.argmax(logprobs, axis=-1)
        return self.token, logprobs.squeeze(0)


class DryGpu:
    def __init__(self):
        self.library = ctypes.CDLL(None)
        if not hasattr(self.library, "dry_gpu_report"):
            sys.exit("mlx_lm_step.py: dry-gpu.so is not preloaded")
        self.library.dry_gpu_report.restype = ctypes.c_char_p

    def counted(self, work):
        self.library.dry_gpu_reset()
        work()
        return self.library.dry_gpu_report().decode()


def launches(folder, context=16):
    gpu, step = DryGpu(), Step(folder, int(context))
    for _ in range(3):
        mx.async_eval(*step.build())
    print(gpu.counted(lambda: mx.async_eval(*step.build())), end="")


def layers(folder, context=16):
    gpu, step = DryGpu(), Step(folder, int(context))
    mx.async_eval(*step.build())
    model, text = step.model, step.model.model
    kinds = {"linear attention": text.ssm_idx, "full attention": text.fa_idx}
    x = text.embed_tokens(mx.zeros((1, 1), mx.int32))
    mx.eval(x)
    for kind, i in kinds.items():
        for part in ("norm and mixer", "norm and experts", "layer"):
            layer = text.layers[i]

            def work():
                if part == "norm and mixer":
                    mixer = layer.linear_attn if layer.is_linear else layer.self_attn
                    y = mixer(layer.input_layernorm(x), None, step.cache[i])
                elif part == "norm and experts":
                    y = layer.mlp(layer.post_attention_layernorm(x))
                else:
                    y = layer(x, None, step.cache[i])
                mx.eval(y, [s for s in step.cache[i].state if isinstance(s, mx.array)])

            work()
            print(f"# {kind}: {part}\n{gpu.counted(work)}", end="")

    def around():
        h = text.norm(text.embed_tokens(step.token[None]))
        logits = model.lm_head(h)[:, -1, :]
        logprobs = logits - mx.logsumexp(logits, keepdims=True)
        mx.eval(mx.argmax(logprobs, axis=-1), logprobs.squeeze(0))

    print(f"# embedding, last norm, head, log-probabilities, greedy choice\n{gpu.counted(around)}", end="")


def build(folder, steps=400):
    DryGpu()
    step = Step(folder, 16)
    wall, processor = [], []
    for _ in range(int(steps)):
        start, used = time.perf_counter(), time.thread_time()
        outputs = step.build()
        processor.append(time.thread_time() - used)
        wall.append(time.perf_counter() - start)
        mx.async_eval(*outputs)
    print(*(f"{1000 * statistics.median(times[len(times) // 2:]):.3f}" for times in (wall, processor)))


def logits(folder, out, *ids):
    mx.set_default_device(mx.cpu)
    model, _ = load_model(pathlib.Path(folder), lazy=True)
    model.set_dtype(mx.float32)
    mx.save_safetensors(out, {"logits": model(mx.array([[int(i) for i in ids]]))[0]})


if __name__ == "__main__":
    commands = {f.__name__: f for f in (launches, layers, build, logits)}
    if len(sys.argv) < 3 or sys.argv[1] not in commands:
        sys.exit(__doc__)
    commands[sys.argv[1]](*sys.argv[2:])
