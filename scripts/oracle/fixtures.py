"""Makes fixtures/src/main/resources/golden/random: a few small checkpoints of odd shapes with what must come out, so
that scripts/test covers them without Python.

    scripts/oracle/run --fixtures

The files have the names and fields of golden/README.md; the lengths are 7 and 65 (last two positions), the MTP module
reads the prompt of 65. Made again, the numbers may differ in the last bits.
"""

import json
import pathlib
import shutil
import tempfile

import numpy as np
import torch
from safetensors.numpy import save_file

import checkpoints
import huggingface
import mlx_reference
import prompts
from checkpoints import Shape
from mtp import Mtp

GOLDEN = pathlib.Path(__file__).resolve().parents[2] / "fixtures/src/main/resources/golden/random"

COMMON = {
    "model_type": "qwen3_next",
    "architectures": ["Qwen3NextForCausalLM"],
    "hidden_act": "silu",
    "attention_bias": False,
    "max_position_embeddings": 4096,
}

# Irregular layers, no width a multiple of 32, YaRN with every key, tied, three value heads for each key head.
MIXED = COMMON | {
    "vocab_size": 131,
    "hidden_size": 36,
    "num_hidden_layers": 4,
    "layer_types": ["full_attention", "linear_attention", "linear_attention", "full_attention"],
    "full_attention_interval": 4,
    "intermediate_size": 28,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 16,
    "partial_rotary_factor": 0.5,
    "rope_theta": 500000.0,
    "rope_scaling": {
        "rope_type": "yarn",
        "factor": 2.5,
        "original_max_position_embeddings": 64,
        "beta_fast": 8,
        "beta_slow": 2,
        "truncate": False,
        "attention_factor": 0.9,
    },
    "linear_num_key_heads": 2,
    "linear_key_head_dim": 12,
    "linear_num_value_heads": 6,
    "linear_value_head_dim": 10,
    "linear_conv_kernel_dim": 5,
    "num_experts": 4,
    "num_experts_per_tok": 3,
    "moe_intermediate_size": 12,
    "shared_expert_intermediate_size": 20,
    "mlp_only_layers": [1],
    "decoder_sparse_step": 1,
    "norm_topk_prob": False,
    "rms_norm_eps": 1e-5,
    "tie_word_embeddings": True,
}

# Linear scaling, a convolution of two taps, every second layer dense, experts and heads by transformers' defaults.
SPARSE = COMMON | {
    "vocab_size": 97,
    "hidden_size": 36,
    "num_hidden_layers": 3,
    "layer_types": ["linear_attention", "linear_attention", "full_attention"],
    "full_attention_interval": 3,
    "intermediate_size": 48,
    "num_attention_heads": 6,
    "num_key_value_heads": 2,
    "head_dim": 16,
    "partial_rotary_factor": 0.25,
    "rope_theta": 10000.0,
    "rope_scaling": {"type": "linear", "factor": 2.5},
    "linear_num_key_heads": 3,
    "linear_key_head_dim": 8,
    "linear_num_value_heads": 3,
    "linear_value_head_dim": 16,
    "linear_conv_kernel_dim": 2,
    "num_experts": 12,
    "num_experts_per_tok": 10,
    "moe_intermediate_size": 8,
    "shared_expert_intermediate_size": 16,
    "mlp_only_layers": [],
    "decoder_sparse_step": 2,
    "norm_topk_prob": True,
    "rms_norm_eps": 1e-6,
    "tie_word_embeddings": False,
}

# Every width a multiple of 128.
WIDE = COMMON | {
    "vocab_size": 75,
    "hidden_size": 128,
    "num_hidden_layers": 2,
    "layer_types": ["linear_attention", "full_attention"],
    "full_attention_interval": 2,
    "intermediate_size": 128,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "head_dim": 32,
    "partial_rotary_factor": 1.0,
    "rope_theta": 10000.0,
    "rope_scaling": None,
    "linear_num_key_heads": 1,
    "linear_key_head_dim": 16,
    "linear_num_value_heads": 2,
    "linear_value_head_dim": 32,
    "linear_conv_kernel_dim": 3,
    "num_experts": 3,
    "num_experts_per_tok": 2,
    "moe_intermediate_size": 32,
    "shared_expert_intermediate_size": 32,
    "mlp_only_layers": [],
    "decoder_sparse_step": 1,
    "norm_topk_prob": True,
    "rms_norm_eps": 1e-6,
    "tie_word_embeddings": False,
}
FULL_WIDTH = WIDE | {
    "moe_intermediate_size": 128,
    "num_experts": 2,
    "num_experts_per_tok": 1,
    "mlp_only_layers": [0],
    "intermediate_size": 64,
    "linear_value_head_dim": 64,
}


def newer(config):
    """The newer style, without what transformers has defaults for."""
    rope = config["rope_scaling"] | {k: config[k] for k in ("rope_theta", "partial_rotary_factor")}
    left_out = {"rope_scaling", "rope_theta", "partial_rotary_factor", "full_attention_interval"}
    kept = {k: v for k, v in config.items() if k not in left_out and checkpoints.DEFAULTS.get(k) != v}
    return kept | {"rope_parameters": rope}


def older(config):
    left_out = {k for k, v in checkpoints.DEFAULTS.items() if config[k] == v} | {"layer_types"}
    return {k: v for k, v in config.items() if k not in left_out or k == "full_attention_interval"}


def published(name, config, written, storage, shards, seed):
    shape = Shape(name, config, written, storage, shards, mtp=True, periodic=False)
    tensors = checkpoints.weights(shape, seed)
    checkpoints.write(GOLDEN / name, tensors, written, shards, storage)
    model = huggingface.Model(GOLDEN / name)
    expected(name, model, config, seed, candidates=64, mtp=lambda ids: drafts(model, tensors, config, ids))


def quantized(name, config, seed, work, **form):
    shape = Shape(name, config, config, "bfloat16", 1, mtp=False, periodic=True)
    checkpoints.write(work / name, checkpoints.weights(shape, seed), config, 1, "bfloat16")
    mlx_reference.convert(work / name, GOLDEN / name, config, **form)
    (GOLDEN / name / "model.safetensors.index.json").unlink()  # one file needs none
    expected(name, mlx_reference.Model(GOLDEN / name), config, seed, candidates=16)


def expected(name, model, config, seed, candidates, mtp=None):
    facts, tensors = {"prompts": {}}, {}
    for prompt in prompts.scored(model, config["vocab_size"], seed, candidates):
        length = len(prompt.ids)
        if length in (7, 65):
            first = 0 if length == 7 else length - 2
            facts["prompts"][f"len{length}"] = {
                "tokens": prompt.ids,
                "first_position": first,
                "min_router_margin": prompt.router_margin if np.isfinite(prompt.router_margin) else None,
                "min_top2_margin": float(prompt.top2_margins.min()),
            }
            tensors[f"len{length}.logits"] = prompt.logits[first:].copy()
            tensors[f"len{length}.argmax"] = prompt.logits.argmax(-1).astype(np.int32)
            assert prompt.top2_margins.min() > 1e-3 and prompt.router_margin > 1e-3, name
    greedy = prompts.continued(model, config["vocab_size"], seed, candidates)
    assert greedy.top2_margins.min() > 1e-3 and greedy.router_margin > 1e-3, name
    facts["greedy"] = {"prompt": greedy.ids, "tokens": greedy.tokens}
    if mtp:
        facts["mtp"], more = mtp(facts["prompts"]["len65"]["tokens"])
        tensors |= more
    (GOLDEN / "expected").mkdir(exist_ok=True)
    (GOLDEN / "expected" / f"{name}.json").write_text(json.dumps(facts, indent=1))
    save_file(tensors, GOLDEN / "expected" / f"{name}.safetensors")


def drafts(model, tensors, config, ids):
    out = model.model.model(input_ids=torch.tensor([ids]), use_cache=False)
    hidden = out.last_hidden_state[0]
    next_token = int(model.model.lm_head(hidden[-1]).argmax())
    rotary = model.model.model.rotary_emb
    mtp = Mtp(tensors, config, rotary.inv_freq, rotary.attention_scaling)
    z = torch.stack([mtp.read(token, h) for token, h in zip(ids[1:] + [next_token], hidden)])
    drafted, logits, step = [], [mtp.logits(z[-1])], z[-1]
    for _ in range(3):
        drafted.append(int(logits[-1].argmax()))
        if len(drafted) < 3:
            step = mtp.read(drafted[-1], step)
            logits.append(mtp.logits(step))
    best = torch.stack(logits).topk(2).values
    assert (best[:, 0] - best[:, 1]).min() > 1e-3 and mtp.router_margin > 1e-4, mtp.router_margin
    facts = {"next_token": next_token, "drafts": drafted}
    last = z[-2:]
    tensors = {"mtp.z": last, "mtp.logits": last @ mtp.head.T, "mtp.draft_logits": torch.stack(logits)}
    return facts, {name: tensor.float().numpy() for name, tensor in tensors.items()}


def main():
    shutil.rmtree(GOLDEN, ignore_errors=True)
    with tempfile.TemporaryDirectory() as temporary:
        work = pathlib.Path(temporary)
        published("mixed", MIXED, newer(MIXED), "bfloat16", 2, 101)
        published("sparse", SPARSE, older(SPARSE), "float16", 1, 102)
        quantized("mlx-nvfp4", WIDE, 103, work, mode="nvfp4")
        quantized("mlx-mxfp8", WIDE, 104, work, mode="mxfp8")
        quantized("mlx-8bit-g128", FULL_WIDTH, 105, work, bits=8, group_size=128)
    print(f"{sum(f.stat().st_size for f in GOLDEN.rglob('*') if f.is_file()):,} bytes in {GOLDEN}")


if __name__ == "__main__":
    main()
