"""Random Qwen3-Next checkpoints in the published layout: shapes as varied as the architecture allows, a few megabytes.

`draw(seed, index)` chooses a shape and a way to write it; `write` makes the folder. Both depend on nothing but their
arguments. Weights are scaled so that logits have a standard deviation of about 2 and every part of the model matters.

Every fourth shape is "free": sizes that no quantization group divides, layer types in any order. The others are made
so that mlx-lm can convert and quantize them: full attention at regular intervals, widths that are multiples of 128.
"""

import dataclasses
import json
import math
import random

import torch
from safetensors.torch import save_file

STORAGE = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}

# What transformers takes where config.json says nothing.
DEFAULTS = {
    "attention_bias": False,
    "decoder_sparse_step": 1,
    "full_attention_interval": 4,
    "head_dim": 256,
    "hidden_act": "silu",
    "intermediate_size": 5632,
    "linear_conv_kernel_dim": 4,
    "linear_key_head_dim": 128,
    "linear_num_key_heads": 16,
    "linear_num_value_heads": 32,
    "linear_value_head_dim": 128,
    "max_position_embeddings": 32768,
    "mlp_only_layers": [],
    "moe_intermediate_size": 512,
    "norm_topk_prob": True,
    "num_attention_heads": 16,
    "num_experts_per_tok": 10,
    "num_key_value_heads": 2,
    "partial_rotary_factor": 0.25,
    "rms_norm_eps": 1e-6,
    "rope_theta": 10000.0,
    "shared_expert_intermediate_size": 512,
    "tie_word_embeddings": False,
}


@dataclasses.dataclass
class Shape:
    """A checkpoint to be made.

    config: complete, by the older keys (rope_theta and rope_scaling at the top), with layer_types
    written: what config.json says: perhaps newer keys, perhaps without those that are transformers' defaults
    """

    name: str
    config: dict
    written: dict
    storage: str
    shards: int
    mtp: bool
    periodic: bool


def draw(seed, index):
    r = random.Random(f"{seed}/{index}")
    free = index % 4 == 3
    config = free_sizes(r) if free else periodic_sizes(r)
    config |= {
        "model_type": "qwen3_next",
        "architectures": ["Qwen3NextForCausalLM"],
        "hidden_act": "silu",
        "attention_bias": False,
        "vocab_size": r.randint(97, 1100),
        "num_attention_heads": config["num_key_value_heads"] * r.randint(1, 3 if free else 4),
        "linear_num_value_heads": config["linear_num_key_heads"] * r.randint(1, 3),
        "linear_conv_kernel_dim": r.choice([2, 3, 4, 4, 5]),
        "partial_rotary_factor": r.choice([0.25, 0.25, 0.5, 1.0]),
        "rope_theta": r.choice([10000.0, 10000, 500000.0, 1000000, 1e7]),
        "max_position_embeddings": r.choice([1024, 4096, 32768, 262144]),
        "norm_topk_prob": r.random() < 0.7,
        "rms_norm_eps": r.choice([1e-6, 1e-6, 1e-5, 3e-6]),
        "tie_word_embeddings": r.random() < 0.3,
    }
    experts = config["num_experts"]
    config["num_experts_per_tok"] = experts if r.random() < 0.1 else r.randint(1, max(1, min(10, experts - 1)))
    dense(r, config, free)
    config["rope_scaling"] = scaling(r, config, free)
    return Shape(
        name=f"{index:02d}",
        config=config,
        written=written(r, config),
        storage=r.choice(["bfloat16", "bfloat16", "float16", "float32"]),
        shards=r.choice([1, 1, 2, 4]),
        mtp=config["num_experts"] > 0 and r.random() < 0.5,
        periodic=not free,
    )


def periodic_sizes(r):
    interval = r.randint(2, 4)
    layers = r.randint(interval, 9)
    return {
        "hidden_size": r.choice([128, 128, 256]),
        "num_hidden_layers": layers,
        "full_attention_interval": interval,
        "layer_types": [
            "linear_attention" if (i + 1) % interval else "full_attention" for i in range(layers)
        ],
        "head_dim": r.choice([32, 64, 128]),
        "num_key_value_heads": r.choice([1, 2, 4]),
        "linear_num_key_heads": r.choice([1, 2, 4]),
        "linear_key_head_dim": r.choice([16, 32, 48, 64]),
        "linear_value_head_dim": r.choice([32, 64, 128]),
        "num_experts": r.randint(2, 12 if layers > 5 else 40),
        "moe_intermediate_size": r.choice([32, 64, 128]),
        "shared_expert_intermediate_size": r.choice([64, 128, 256]),
        "intermediate_size": r.choice([128, 192, 256]),
    }


def free_sizes(r):
    layers = r.randint(1, 9)
    return {
        "hidden_size": r.choice([64, 72, 100, 120, 132, 200]),
        "num_hidden_layers": layers,
        "full_attention_interval": 4,
        "layer_types": r.choice(
            [
                [r.choice(["linear_attention", "full_attention"]) for _ in range(layers)],
                ["full_attention"] * layers,
                ["linear_attention"] * layers,
                ["linear_attention" if (i + 1) % 4 else "full_attention" for i in range(layers)],
            ]
        ),
        "head_dim": r.choice([16, 24, 40, 64, 96, 128]),
        "num_key_value_heads": r.randint(1, 4),
        "linear_num_key_heads": r.randint(1, 4),
        "linear_key_head_dim": r.choice([12, 16, 24, 40, 64]),
        "linear_value_head_dim": r.choice([8, 16, 20, 56, 96]),
        "num_experts": r.choice([0, 2, 5, 13, 40]),
        "moe_intermediate_size": r.choice([12, 20, 36, 64]),
        "shared_expert_intermediate_size": r.choice([12, 44, 64]),
        "intermediate_size": r.choice([60, 96, 150]),
    }


def dense(r, config, free):
    """Which layers are plain MLPs; mlx-lm recognises a published checkpoint by its experts, so some layer has them."""
    layers = config["num_hidden_layers"]
    config["mlp_only_layers"] = sorted(r.sample(range(layers), r.randint(0, layers // 2))) if r.random() < 0.5 else []
    config["decoder_sparse_step"] = r.choice([1, 1, 1, 2, 3])
    if not free and not any(is_sparse(config, i) for i in range(layers)):
        config["mlp_only_layers"], config["decoder_sparse_step"] = [], 1


def is_sparse(config, layer):
    return (
        config["num_experts"] > 0
        and layer not in config["mlp_only_layers"]
        and (layer + 1) % config["decoder_sparse_step"] == 0
    )


def scaling(r, config, free):
    """Rotary scaling; the keys that mlx-lm does not know only where it is not asked."""
    kind = r.choice([None, None, "default", "linear", "yarn", "yarn"])
    key = r.choice(["rope_type", "type"])
    if kind is None:
        return None
    if kind == "default":
        return {key: "default"}
    factor = r.choice([2.0, 4.0, 2.5, 8])
    if kind == "linear":
        return {key: "linear", "factor": factor}
    yarn = {key: "yarn", "factor": factor, "original_max_position_embeddings": r.choice([16, 64, 500, 4096])}
    if r.random() < 0.4:
        yarn |= {"beta_fast": r.choice([32, 24.0, 8]), "beta_slow": r.choice([1, 2.0])}
    if r.random() < 0.3:
        yarn |= {"mscale": 0.8, "mscale_all_dim": 1.2}
    if free:
        if r.random() < 0.5:
            yarn["truncate"] = r.random() < 0.3
        if r.random() < 0.5:
            yarn["attention_factor"] = r.choice([0.9, 1.2])
        if r.random() < 0.2:
            del yarn["original_max_position_embeddings"]
    return yarn


def written(r, config):
    """config.json in one of the two styles, without some of the keys that have their default value."""
    out = dict(config)
    if r.random() < 0.5:
        rope = {"rope_type": "default"} if out["rope_scaling"] is None else dict(out["rope_scaling"])
        rope["rope_theta"] = out.pop("rope_theta")
        rope["partial_rotary_factor"] = out.pop("partial_rotary_factor")
        out["rope_parameters"] = rope
        del out["rope_scaling"]
        del out["full_attention_interval"]
    else:
        interval = out["full_attention_interval"]
        regular = ["linear_attention" if (i + 1) % interval else "full_attention" for i in range(len(out["layer_types"]))]
        if out["layer_types"] == regular:
            del out["layer_types"]
    for key, value in DEFAULTS.items():
        if out.get(key) == value and r.random() < 0.6:
            del out[key]
    if out.get("num_experts") == 0:
        for key in ("num_experts_per_tok", "moe_intermediate_size"):
            out.pop(key, None)
    return out


# ------------------------------------------------------------------------------------------------------------- weights


def weights(shape, seed):
    """All tensors by their published names, as stored."""
    c = shape.config
    generator = torch.Generator().manual_seed(seed)
    dtype = STORAGE[shape.storage]
    hidden = c["hidden_size"]
    tensors = {}

    def normal(*size, std):
        return torch.randn(*size, generator=generator) * std

    def matrix(name, rows, columns, gain=1.0):
        tensors[name + ".weight"] = normal(rows, columns, std=gain / math.sqrt(columns)).to(dtype)

    def norm(name, size, centre=0.0):
        # On a grid of 1/128, so that an MLX conversion can add 1 without rounding.
        values = centre + torch.randint(-48, 49, (size,), generator=generator) / 128
        tensors[name + ".weight"] = values.to(dtype)

    def swiglu(name, inner):
        matrix(name + ".gate_proj", inner, hidden, 1.5)
        matrix(name + ".up_proj", inner, hidden)
        matrix(name + ".down_proj", hidden, inner)

    def experts(name):
        matrix(name + ".gate", c["num_experts"], hidden, 1.5)
        for e in range(c["num_experts"]):
            swiglu(f"{name}.experts.{e}", c["moe_intermediate_size"])
        swiglu(name + ".shared_expert", c["shared_expert_intermediate_size"])
        matrix(name + ".shared_expert_gate", 1, hidden)

    def attention(name):
        heads, kv, dim = c["num_attention_heads"], c["num_key_value_heads"], c["head_dim"]
        matrix(name + ".q_proj", 2 * heads * dim, hidden)
        matrix(name + ".k_proj", kv * dim, hidden)
        matrix(name + ".v_proj", kv * dim, hidden)
        matrix(name + ".o_proj", hidden, heads * dim, 1.5)
        norm(name + ".q_norm", dim, 0.25)
        norm(name + ".k_norm", dim, 0.25)

    def delta_net(name):
        key_heads, dim = c["linear_num_key_heads"], c["linear_key_head_dim"]
        keys = key_heads * dim
        heads = c["linear_num_value_heads"]
        values = heads * c["linear_value_head_dim"]
        # Keys resemble queries. Else some outputs are nearly zero, and the norm behind them magnifies their rounding.
        qkvz = normal(key_heads, 2 * (keys + values) // key_heads, hidden, std=1 / math.sqrt(hidden))
        qkvz[:, dim : 2 * dim] = 0.9 * qkvz[:, :dim] + 0.44 * qkvz[:, dim : 2 * dim]
        tensors[name + ".in_proj_qkvz.weight"] = qkvz.reshape(-1, hidden).to(dtype)
        matrix(name + ".in_proj_ba", 2 * heads, hidden)
        matrix(name + ".out_proj", hidden, values)
        kernel = c["linear_conv_kernel_dim"]
        conv = normal(2 * keys + values, 1, kernel, std=1 / math.sqrt(kernel))
        conv[keys : 2 * keys] = 0.9 * conv[:keys] + 0.44 * conv[keys : 2 * keys]
        tensors[name + ".conv1d.weight"] = conv.to(dtype)
        tensors[name + ".A_log"] = torch.log(torch.rand(heads, generator=generator) * 4 + 0.05).to(dtype)
        tensors[name + ".dt_bias"] = normal(heads, std=1.0).to(dtype)
        norm(name + ".norm", c["linear_value_head_dim"], 1.0)

    def layer(name, full, sparse):
        norm(name + ".input_layernorm", hidden)
        (attention if full else delta_net)(name + (".self_attn" if full else ".linear_attn"))
        norm(name + ".post_attention_layernorm", hidden)
        experts(name + ".mlp") if sparse else swiglu(name + ".mlp", c["intermediate_size"])

    tied = c["tie_word_embeddings"]
    matrix("model.embed_tokens", c["vocab_size"], hidden, 2.0 if tied else math.sqrt(hidden))
    for i in range(c["num_hidden_layers"]):
        layer(f"model.layers.{i}", c["layer_types"][i] == "full_attention", is_sparse(c, i))
    norm("model.norm", hidden)
    if not tied:
        matrix("lm_head", c["vocab_size"], hidden, 2.0)
    if shape.mtp:
        norm("mtp.pre_fc_norm_embedding", hidden)
        norm("mtp.pre_fc_norm_hidden", hidden)
        matrix("mtp.fc", hidden, 2 * hidden)
        layer("mtp.layers.0", True, True)
        norm("mtp.norm", hidden)
    if shape.storage == "bfloat16" and seed % 2:
        # Some releases keep the decay in float32.
        for name in tensors:
            if name.endswith(".A_log"):
                tensors[name] = tensors[name].float()
    return tensors


def write(folder, tensors, config, shards, storage, metadata="pt"):
    """A folder that transformers opens."""
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(config | {"dtype": storage}, indent=2))
    names = list(tensors)
    if shards == 1:
        save_file(tensors, folder / "model.safetensors", metadata={"format": metadata})
        return
    weight_map = {}
    for i in range(shards):
        file = f"model-{i + 1:05d}-of-{shards:05d}.safetensors"
        part = {name: tensors[name] for name in names[i::shards]}
        save_file(part, folder / file, metadata={"format": metadata})
        weight_map |= dict.fromkeys(part, file)
    (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": weight_map}))
