"""Reads an 8-bit MLX folder back to float32: as model.py's Model (with the MTP layer), or as transformers' model."""
import json
import os

import torch
from safetensors import safe_open

import model as M

ONE_ADDED = ("input_layernorm", "post_attention_layernorm", "q_norm", "k_norm", "model.norm")


def tensors(path):
    with safe_open(path, "pt") as f:
        return {k: f.get_tensor(k) for k in f.keys()}


def dequantize(packed, scales, biases):
    """Affine codes of 8 bits: one byte per weight, little-endian words; scale * q + bias in float32."""
    q = packed.contiguous().view(torch.uint8).float()
    group = q.shape[-1] // scales.shape[-1]
    q = q.view(*scales.shape, group)
    return (q * scales.float()[..., None] + biases.float()[..., None]).flatten(-2)


def state(folder):
    """Folder -> state dict of model.py: zero-centred norms, experts stacked as gate_up."""
    raw = tensors(os.path.join(folder, "model.safetensors"))
    out = {}
    for name, w in raw.items():
        if name.endswith((".scales", ".biases")): continue
        stem = name[:-len(".weight")] if name.endswith(".weight") else name
        w = dequantize(w, raw[stem + ".scales"], raw[stem + ".biases"]) if stem + ".scales" in raw else w.float()
        if stem.endswith(ONE_ADDED): w = w - 1
        if stem.endswith("conv1d"): w = w.transpose(1, 2).contiguous()
        out[name] = w
    out.update({k: w.float() for k, w in tensors(os.path.join(folder, "mtp.safetensors")).items()})
    for name in [n for n in out if n.endswith("switch_mlp.gate_proj.weight")]:
        stem = name[:-len("switch_mlp.gate_proj.weight")]
        gate, up = out.pop(name), out.pop(stem + "switch_mlp.up_proj.weight")
        out[stem + "experts.gate_up_proj"] = torch.cat([gate, up], 1)
        out[stem + "experts.down_proj"] = out.pop(stem + "switch_mlp.down_proj.weight")
    return out


def load(folder):
    """(Model of model.py, Qwen3NextForCausalLM of transformers), both float32 with the same weights."""
    from transformers import Qwen3NextConfig, Qwen3NextForCausalLM
    with open(os.path.join(folder, "config.json")) as f: c = json.load(f)
    ours = M.Model(M.Config(**{k: c[k] for k in M.Config.__dataclass_fields__}))
    weights = state(folder)
    ours.load_state_dict(weights)
    for key in ("quantization", "quantization_config", "torch_dtype"): c.pop(key, None)
    theirs = Qwen3NextForCausalLM._from_config(Qwen3NextConfig(**c), dtype=torch.float32)
    theirs.config._attn_implementation = "eager"
    missing = theirs.load_state_dict({k: w for k, w in weights.items() if not k.startswith("mtp.")}, strict=True)
    return ours.eval(), theirs.eval()
