"""MLX layouts that mlx-lm would not make itself: any layer types, any widths, another format for every module.

Written here by the published rules (experts stacked, conv1d [C, K, 1], 1 added to the zero-centred norms) with mlx's
own quantizer. The reference is transformers on the same numbers: the checkpoint in the published layout, every module
dequantized by mlx in float32.
"""

import json
import random
import re

import mlx.core as mx
import numpy as np
import torch

import checkpoints
from formats import FORMATS

TYPES = {"float32": mx.float32, "float16": mx.float16, "bfloat16": mx.bfloat16}
ZERO_CENTRED = re.compile(r"(input_layernorm|post_attention_layernorm|model\.norm|[qk]_norm)\.weight$")
EXPERT = re.compile(r"(.*\.mlp)\.experts\.(\d+)\.(\w+)\.weight$")


def write(folder, twin, shape, tensors, seed):
    """Makes the MLX folder, and the published folder with the same numbers."""
    r = random.Random(seed)
    vectors, matrices = split(tensors)
    stored, plain = {}, {}
    for name, value in vectors.items():
        dtype = TYPES[r.choice(list(TYPES))]
        if ZERO_CENTRED.search(name):
            stored[name] = (mx.array(value) + 1).astype(dtype)
            plain[name] = widened(stored[name]) - 1
        else:
            stored[name] = mx.array(value).astype(dtype)
            plain[name] = widened(stored[name])
        if name.endswith("conv1d.weight"):
            stored[name] = mx.contiguous(mx.moveaxis(stored[name], 2, 1))
    entries = {}
    for path, value in matrices.items():
        fitting = [None] + [f for f in FORMATS if value.shape[-1] % f["group_size"] == 0]
        form = r.choice(fitting)
        weight = mx.array(value).astype(TYPES[r.choice(list(TYPES))])
        if form is None:
            stored[path + ".weight"] = weight
            value = widened(weight)
            entries[path] = False
        else:
            codes, scales, *biases = mx.quantize(weight, **form)
            stored |= {path + ".weight": codes, path + ".scales": scales}
            if biases:
                stored[path + ".biases"] = biases[0]
                scales, biases = scales.astype(mx.float32), [biases[0].astype(mx.float32)]
            value = np.array(mx.dequantize(codes, scales, *biases, **form, dtype=mx.float32))
            entries[path] = {k: v for k, v in form.items() if k != "mode" or v != "affine" or r.random() < 0.5}
        if ".switch_mlp." in path:
            for e, one in enumerate(value):
                plain[path.replace(".switch_mlp.", f".experts.{e}.") + ".weight"] = one
        else:
            plain[path + ".weight"] = value
    config = {k: v for k, v in shape.written.items()} | quantization(r, entries)
    save(folder, stored, config, shape.shards, index=r.random() < 0.5)
    torches = {name: torch.from_numpy(np.ascontiguousarray(value)) for name, value in plain.items()}
    checkpoints.write(twin, torches, shape.written, 1, "float32")


def split(tensors):
    """Norms and vectors by name, matrices by module path, experts stacked; without the MTP module."""
    vectors, matrices, experts = {}, {}, {}
    for name, tensor in tensors.items():
        value = tensor.float().numpy()
        expert = EXPERT.match(name)
        if name.startswith("mtp."):
            continue
        if expert:
            experts.setdefault(f"{expert[1]}.switch_mlp.{expert[3]}", []).append(value)
        elif value.ndim == 2:
            matrices[name.removesuffix(".weight")] = value
        else:
            vectors[name] = value
    return vectors, matrices | {path: np.stack(values) for path, values in experts.items()}


def widened(array):
    return np.array(array.astype(mx.float32))


def quantization(r, entries):
    """What config.json says: an entry for every module, for some, for none, or nothing at all."""
    how = r.choice(["all", "some", "none", "nothing"])
    if how == "nothing":
        return {}
    known = {path: e for path, e in entries.items() if how == "all" or how == "some" and r.random() < 0.5}
    object = {"group_size": 64, "bits": 4, "mode": "affine"} | known
    return {"quantization": object, "quantization_config": object} if r.random() < 0.7 else {"quantization": object}


def save(folder, tensors, config, shards, index):
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(config))
    names = list(tensors)
    weight_map = {}
    for i in range(shards):
        file = f"model-{i + 1:05d}-of-{shards:05d}.safetensors" if shards > 1 else "model.safetensors"
        part = {name: tensors[name] for name in names[i::shards]}
        mx.save_safetensors(str(folder / file), part, metadata={"format": "mlx"})
        weight_map |= dict.fromkeys(part, file)
    if index:
        (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": weight_map}))
