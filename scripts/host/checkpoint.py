"""Writes a random Qwen3-Next checkpoint as mlx-lm converts it: 4 bit in groups of 64, routers and gates 8 bit.

    checkpoint.py true FOLDER      12 layers of the published widths with 64 experts; 2.0 GB
    checkpoint.py large FOLDER     the same with 200 experts, to load; 5 GB
    checkpoint.py narrow FOLDER    48 layers with the published heads, narrow everything else; 90 MB

The codes are random bytes from a fixed seed: nothing was quantized, and only the sizes of the numbers make sense.
A folder that is complete is left alone.
"""

import json
import os
import pathlib
import struct
import sys

import numpy as np

SHARED = dict(
    architectures=["Qwen3NextForCausalLM"],
    model_type="qwen3_next",
    attention_bias=False,
    decoder_sparse_step=1,
    mlp_only_layers=[],
    full_attention_interval=4,
    hidden_act="silu",
    head_dim=256,
    num_attention_heads=16,
    num_key_value_heads=2,
    partial_rotary_factor=0.25,
    rope_theta=10000000,
    rope_scaling=None,
    max_position_embeddings=262144,
    linear_conv_kernel_dim=4,
    linear_key_head_dim=128,
    linear_num_key_heads=16,
    linear_num_value_heads=32,
    linear_value_head_dim=128,
    norm_topk_prob=True,
    num_experts_per_tok=10,
    rms_norm_eps=1e-06,
    tie_word_embeddings=False,
    torch_dtype="bfloat16",
    use_cache=True,
)
PUBLISHED = dict(
    num_hidden_layers=12,
    hidden_size=2048,
    intermediate_size=5120,
    moe_intermediate_size=512,
    shared_expert_intermediate_size=512,
    vocab_size=151936,
    bos_token_id=151643,
    eos_token_id=151645,
)
SHAPES = {
    "true": dict(PUBLISHED, num_experts=64),
    "large": dict(PUBLISHED, num_experts=200),
    "narrow": dict(
        num_hidden_layers=48,
        hidden_size=128,
        intermediate_size=128,
        moe_intermediate_size=64,
        shared_expert_intermediate_size=64,
        num_experts=16,
        vocab_size=2048,
        bos_token_id=2045,
        eos_token_id=2047,
    ),
}
GROUP = 64


def tensors(c):
    """Yields (name, kind, shape); the kind is bits of a quantized matrix, or which plain values."""
    hidden, experts = c["hidden_size"], c["num_experts"]
    keys = c["linear_num_key_heads"] * c["linear_key_head_dim"]
    values = c["linear_num_value_heads"] * c["linear_value_head_dim"]
    yield "model.embed_tokens", 4, (c["vocab_size"], hidden)
    for i in range(c["num_hidden_layers"]):
        layer = f"model.layers.{i}."
        yield layer + "input_layernorm.weight", "norm", (hidden,)
        yield layer + "post_attention_layernorm.weight", "norm", (hidden,)
        if (i + 1) % c["full_attention_interval"]:
            mixer = layer + "linear_attn."
            yield mixer + "in_proj_qkvz", 4, (2 * keys + 2 * values, hidden)
            yield mixer + "in_proj_ba", 4, (2 * c["linear_num_value_heads"], hidden)
            yield mixer + "conv1d.weight", "weight", (2 * keys + values, c["linear_conv_kernel_dim"], 1)
            yield mixer + "A_log", "norm", (c["linear_num_value_heads"],)
            yield mixer + "dt_bias", "norm", (c["linear_num_value_heads"],)
            yield mixer + "norm.weight", "norm", (c["linear_value_head_dim"],)
            yield mixer + "out_proj", 4, (hidden, values)
        else:
            mixer = layer + "self_attn."
            queries = c["num_attention_heads"] * c["head_dim"]
            yield mixer + "q_proj", 4, (2 * queries, hidden)
            yield mixer + "k_proj", 4, (c["num_key_value_heads"] * c["head_dim"], hidden)
            yield mixer + "v_proj", 4, (c["num_key_value_heads"] * c["head_dim"], hidden)
            yield mixer + "o_proj", 4, (hidden, queries)
            yield mixer + "q_norm.weight", "norm", (c["head_dim"],)
            yield mixer + "k_norm.weight", "norm", (c["head_dim"],)
        yield layer + "mlp.gate", 8, (experts, hidden)
        yield layer + "mlp.shared_expert_gate", 8, (1, hidden)
        for block, stack, inner in (
            ("switch_mlp", (experts,), c["moe_intermediate_size"]),
            ("shared_expert", (), c["shared_expert_intermediate_size"]),
        ):
            yield f"{layer}mlp.{block}.gate_proj", 4, (*stack, inner, hidden)
            yield f"{layer}mlp.{block}.up_proj", 4, (*stack, inner, hidden)
            yield f"{layer}mlp.{block}.down_proj", 4, (*stack, hidden, inner)
    yield "model.norm.weight", "norm", (hidden,)
    yield "lm_head", 4, (c["vocab_size"], hidden)


def parts(name, kind, shape):
    """The tensors in the file: (name, type, shape) of a plain one, or of the codes, scales and biases."""
    if not isinstance(kind, int):
        yield name, "BF16", shape
        return
    *rows, columns = shape
    yield name + ".weight", "U32", (*rows, columns * kind // 32)
    yield name + ".scales", "BF16", (*rows, columns // GROUP)
    yield name + ".biases", "BF16", (*rows, columns // GROUP)


def bf16(values):
    return (values.astype(np.float32).view(np.uint32) >> 16).astype(np.uint16).tobytes()


def data(random, kind, shape):
    """The bytes of one tensor or of its three parts, in the file's order."""
    size = int(np.prod(shape))
    if kind == "norm":
        return bf16(random.uniform(0.5, 1.5, size))
    if kind == "weight":
        return bf16(random.uniform(-0.5, 0.5, size))
    levels = 2**kind - 1
    scale = random.uniform(0.5, 1.5, size // GROUP) * (2 / np.sqrt(shape[-1]) / levels)
    return random.bytes(size * kind // 8) + bf16(scale) + bf16(-scale * levels / 2)


def header(c):
    described, offset = {"__metadata__": {"format": "mlx"}}, 0
    for tensor in tensors(c):
        for name, dtype, shape in parts(*tensor):
            end = offset + int(np.prod(shape)) * (4 if dtype == "U32" else 2)
            described[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [offset, end]}
            offset = end
    text = json.dumps(described, separators=(",", ":")).encode()
    return text + b" " * (-len(text) % 8)


def main(shape, folder):
    folder = pathlib.Path(folder)
    if (folder / "config.json").exists():
        return
    c = SHARED | SHAPES[shape]
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(20260101)
    with open(folder / "model.safetensors", "wb") as file:
        head = header(c)
        file.write(struct.pack("<Q", len(head)) + head)
        for _, kind, dimensions in tensors(c):
            file.write(data(random, kind, dimensions))
    quantization = {"group_size": GROUP, "bits": 4, "mode": "affine"}
    for name, kind, _ in tensors(c):
        if kind == 8:
            quantization[name] = {"group_size": GROUP, "bits": 8}
    c |= {"quantization": quantization, "quantization_config": quantization}
    unfinished = folder / "config.json.new"
    unfinished.write_text(json.dumps(c, indent=4) + "\n")
    os.replace(unfinished, folder / "config.json")


if __name__ == "__main__":
    if len(sys.argv) != 3 or sys.argv[1] not in SHAPES:
        sys.exit(__doc__)
    main(*sys.argv[1:])
