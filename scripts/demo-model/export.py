"""Writes a checkpoint of train.py in the two layouts that other programs read.

    python export.py --checkpoint FILE --tokenizer DIR --hf DIR --mlx DIR

hf:  the published Hugging Face layout: bf16, one tensor per expert, zero-centred norms, `mtp.*` included.
mlx: 8 bits in groups of 64, made from hf by mlx-lm's own loading, quantizing and saving; and mtp.safetensors,
     which mlx-lm ignores: published names, zero-centred norms, experts stacked, bf16.
"""
import argparse
import json
import os
import shutil

import torch
from safetensors.torch import save_file

import model as M
from tokenizer import SPECIAL

# Chosen by trying: low enough that a nine-million-parameter model keeps to its story.
SAMPLING = {"do_sample": True, "temperature": 0.6, "top_k": 20, "top_p": 0.9}


def config(c, dtype="bfloat16"):
    """config.json as the published models have it; transformers accepts the flat rope_theta."""
    full = {k: getattr(c, k) for k in c.__dataclass_fields__}
    end = c.vocab_size - len(SPECIAL)
    return {"architectures": ["Qwen3NextForCausalLM"], "model_type": "qwen3_next", **full,
            "attention_bias": False, "attention_dropout": 0.0, "bos_token_id": end, "decoder_sparse_step": 1,
            "eos_token_id": end + 2, "hidden_act": "silu", "initializer_range": 0.02, "intermediate_size": 128,
            "mlp_only_layers": [], "norm_topk_prob": True, "num_nextn_predict_layers": 1, "output_router_logits": False,
            "rope_scaling": None, "router_aux_loss_coef": 0.01, "tie_word_embeddings": False,
            "torch_dtype": dtype, "use_cache": True}


def published(state):
    """Parameters of model.py -> tensors with the published names, one per expert."""
    out = {}
    for name, w in state.items():
        if name.endswith("experts.gate_up_proj"):
            stem = name[:-len("gate_up_proj")]
            for e, both in enumerate(w):
                gate, up = both.chunk(2)
                out[f"{stem}{e}.gate_proj.weight"], out[f"{stem}{e}.up_proj.weight"] = gate, up
        elif name.endswith("experts.down_proj"):
            for e, down in enumerate(w):
                out[name[:-len("down_proj")] + f"{e}.down_proj.weight"] = down
        else:
            out[name] = w
    return {k: v.detach().to(torch.bfloat16).contiguous().clone() for k, v in out.items()}


def mtp_stacked(state):
    """The MTP layer for mtp.safetensors: experts stacked under switch_mlp."""
    out = {}
    for name, w in state.items():
        if not name.startswith("mtp."): continue
        if name.endswith("experts.gate_up_proj"):
            gate, up = w.chunk(2, 1)
            stem = name.replace("experts.gate_up_proj", "switch_mlp.")
            out[stem + "gate_proj.weight"], out[stem + "up_proj.weight"] = gate, up
        elif name.endswith("experts.down_proj"):
            out[name.replace("experts.down_proj", "switch_mlp.down_proj.weight")] = w
        else:
            out[name] = w
    return {k: v.detach().to(torch.bfloat16).contiguous().clone() for k, v in out.items()}


def write_json(path, value):
    with open(path, "w", encoding="utf-8") as f:
        json.dump(value, f, indent=2, ensure_ascii=False)
        f.write("\n")


def write_hf(state, tokenizer, out):
    shutil.rmtree(out, ignore_errors=True)
    os.makedirs(out)
    tensors = published(state)
    save_file(tensors, os.path.join(out, "model.safetensors"), metadata={"format": "pt"})
    size = sum(t.numel() * t.element_size() for t in tensors.values())
    write_json(os.path.join(out, "model.safetensors.index.json"),
               {"metadata": {"total_size": size}, "weight_map": {k: "model.safetensors" for k in sorted(tensors)}})
    c = M.Config()
    write_json(os.path.join(out, "config.json"), config(c))
    end = c.vocab_size - len(SPECIAL)
    write_json(os.path.join(out, "generation_config.json"),
               {"bos_token_id": end, "eos_token_id": [end + 2, end], "pad_token_id": end, **SAMPLING})
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(os.path.join(tokenizer, name), out)


def write_mlx(hf, state, out):
    import mlx.core as mx
    from mlx_lm.utils import load_model, quantize_model, save_config, save_model
    from pathlib import Path
    mx.set_default_device(mx.cpu)
    model, configuration = load_model(Path(hf), lazy=True)
    model, configuration = quantize_model(model, configuration, group_size=64, bits=8)
    os.makedirs(out, exist_ok=True)
    save_model(Path(out), model, donate_model=True)
    save_config(configuration, Path(out) / "config.json")
    save_file(mtp_stacked(state), os.path.join(out, "mtp.safetensors"), metadata={"format": "qnext-mtp-1"})
    for name in ("tokenizer.json", "tokenizer_config.json", "generation_config.json"):
        shutil.copy(os.path.join(hf, name), out)
    for name in os.listdir(out): os.chmod(os.path.join(out, name), 0o644)


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--checkpoint", required=True)
    p.add_argument("--tokenizer", required=True)
    p.add_argument("--hf", required=True)
    p.add_argument("--mlx", required=True)
    a = p.parse_args()
    checkpoint = torch.load(a.checkpoint, map_location="cpu")
    state = checkpoint["model"]
    write_hf(state, a.tokenizer, a.hf)
    write_mlx(a.hf, state, a.mlx)
    total = sum(w.numel() for w in state.values())
    mtp = sum(w.numel() for n, w in state.items() if n.startswith("mtp."))
    print(f"step {checkpoint['step']}, {checkpoint['tokens'] / 1e6:.2f}M tokens, {checkpoint['spent'] / 60:.1f} minutes")
    print(f"{total} parameters, {mtp} of them in the MTP layer")
    size = 0
    for name in sorted(os.listdir(a.mlx)):
        size += os.path.getsize(os.path.join(a.mlx, name))
        print(f"{os.path.getsize(os.path.join(a.mlx, name)):>10} {name}")
    print(f"{size:>10} in all")


if __name__ == "__main__":
    main()
