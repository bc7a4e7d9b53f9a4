"""Writes Qwen3-Next-80B-A3B's layers with random weights as GGUF: 48 layers, 64 experts, all 151,936 tokens; 5 to 8 GB.

    gguf_model.py TYPE FILE      TYPE is Q4_K_M, Q3_K_M or Q4_0

Which tensor gets which type is asked of llama.cpp's own quantizer: its dry run over an f16 file that has a header and a
hole in place of weights. The blocks are random bytes from a fixed seed with sane scales: nothing was quantized, and only
the sizes of the numbers make sense. Names, shapes and metadata are those that
llama.cpp's converter gives the published checkpoint, without a vocabulary. A file that is complete is left alone.
"""

import ctypes
import os
import pathlib
import re
import sys
import tempfile

import gguf
import llama_cpp
import numpy as np

LAYERS, HIDDEN, VOCABULARY, EXPERTS, USED = 48, 2048, 151936, 64, 10
INNER = 512  # of a routed expert and of the shared one
FULL_ATTENTION_INTERVAL = 4
HEADS, KV_HEADS, HEAD = 16, 2, 256
KEY_HEADS, VALUE_HEADS, LINEAR_HEAD, KERNEL = 16, 32, 128, 4
KEYS, VALUES = KEY_HEADS * LINEAR_HEAD, VALUE_HEADS * LINEAR_HEAD
EMBEDDING = 4  # standard deviation

F32, F16 = gguf.GGMLQuantizationType.F32, gguf.GGMLQuantizationType.F16
FTYPES = {
    "Q4_0": llama_cpp.LLAMA_FTYPE_MOSTLY_Q4_0,
    "Q3_K_M": llama_cpp.LLAMA_FTYPE_MOSTLY_Q3_K_M,
    "Q4_K_M": llama_cpp.LLAMA_FTYPE_MOSTLY_Q4_K_M,
}

# Where the f16 scales stand in a block, and the standard deviation of a weight when they are one and all else is random.
SCALES = {
    "Q4_0": ([("d", 0)], 4.6),
    "Q3_K": ([("d", 108)], 18.5 * 2.3),
    "Q4_K": ([("d", 0), ("min", 2)], 36.7 * 7.1),
    "Q5_K": ([("d", 0), ("min", 2)], 36.7 * 14.5),
    "Q6_K": ([("d", 208)], 73.9 * 18.5),
}
MIDDLE = {"Q4_K": 7.5, "Q5_K": 15.5}  # of the codes: what a minimum has to take away


def tensors():
    """Yields (name, shape); vectors, norms, convolutions and routers stay f32, as llama.cpp's converter has them."""
    yield "token_embd.weight", (VOCABULARY, HIDDEN)
    for i in range(LAYERS):
        layer = f"blk.{i}."
        yield layer + "attn_norm.weight", (HIDDEN,)
        yield layer + "post_attention_norm.weight", (HIDDEN,)
        if (i + 1) % FULL_ATTENTION_INTERVAL:
            yield layer + "attn_qkv.weight", (2 * KEYS + VALUES, HIDDEN)
            yield layer + "attn_gate.weight", (VALUES, HIDDEN)
            yield layer + "ssm_ba.weight", (2 * VALUE_HEADS, HIDDEN)
            yield layer + "ssm_conv1d.weight", (2 * KEYS + VALUES, KERNEL)
            yield layer + "ssm_dt.bias", (VALUE_HEADS,)
            yield layer + "ssm_a", (VALUE_HEADS,)
            yield layer + "ssm_norm.weight", (LINEAR_HEAD,)
            yield layer + "ssm_out.weight", (HIDDEN, VALUES)
        else:
            yield layer + "attn_q.weight", (2 * HEADS * HEAD, HIDDEN)
            yield layer + "attn_k.weight", (KV_HEADS * HEAD, HIDDEN)
            yield layer + "attn_v.weight", (KV_HEADS * HEAD, HIDDEN)
            yield layer + "attn_output.weight", (HIDDEN, HEADS * HEAD)
            yield layer + "attn_q_norm.weight", (HEAD,)
            yield layer + "attn_k_norm.weight", (HEAD,)
        yield layer + "ffn_gate_inp.weight", (EXPERTS, HIDDEN)
        yield layer + "ffn_gate_inp_shexp.weight", (HIDDEN,)
        for suffix, stack in (("exps", (EXPERTS,)), ("shexp", ())):
            yield f"{layer}ffn_gate_{suffix}.weight", (*stack, INNER, HIDDEN)
            yield f"{layer}ffn_up_{suffix}.weight", (*stack, INNER, HIDDEN)
            yield f"{layer}ffn_down_{suffix}.weight", (*stack, HIDDEN, INNER)
    yield "output_norm.weight", (HIDDEN,)
    yield "output.weight", (VOCABULARY, HIDDEN)


def stays_f32(name, shape):
    return len(shape) < 2 or "ssm_conv1d" in name or "ffn_gate_inp" in name


def size(shape, kind):
    block, block_bytes = gguf.GGML_QUANT_SIZES[kind]
    return int(np.prod(shape)) // block * block_bytes


def writer(types):
    w = gguf.GGUFWriter(None, "qwen3next")
    w.add_name("random weights, the shape of Qwen3-Next-80B-A3B")
    w.add_block_count(LAYERS)
    w.add_context_length(262144)
    w.add_embedding_length(HIDDEN)
    w.add_feed_forward_length(5120)
    w.add_head_count(HEADS)
    w.add_head_count_kv(KV_HEADS)
    w.add_key_length(HEAD)
    w.add_value_length(HEAD)
    w.add_rope_freq_base(1e7)
    w.add_rope_dimension_count(HEAD // 4)
    w.add_layer_norm_rms_eps(1e-6)
    w.add_expert_count(EXPERTS)
    w.add_expert_used_count(USED)
    w.add_expert_feed_forward_length(INNER)
    w.add_expert_shared_feed_forward_length(INNER)
    w.add_ssm_conv_kernel(KERNEL)
    w.add_ssm_state_size(LINEAR_HEAD)
    w.add_ssm_group_count(KEY_HEADS)
    w.add_ssm_time_step_rank(VALUE_HEADS)
    w.add_ssm_inner_size(VALUES)
    w.add_full_attention_interval(FULL_ATTENTION_INTERVAL)
    w.add_vocab_size(VOCABULARY)
    w.add_tokenizer_model("no_vocab")
    for name, shape in tensors():
        w.add_tensor_info(name, shape, np.dtype(np.float32), size(shape, types[name]), types[name])
    return w


def write_header(w, path):
    w.write_header_to_file(path)
    w.write_kv_data_to_file()
    w.write_ti_data_to_file()


def types_of(file_type):
    """The type of each tensor as llama.cpp's quantizer chooses it for a file of this type."""
    types = {name: F32 if stays_f32(name, shape) else F16 for name, shape in tensors()}
    said = []

    @llama_cpp.llama_log_callback
    def hear(_, text, __):
        said.append(text.decode(errors="replace"))

    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, "hole.gguf")
        w = writer(types)
        write_header(w, path)
        w.close()
        padded = sum(w.ggml_pad(size(shape, types[name]), w.data_alignment) for name, shape in tensors())
        os.truncate(path, path.stat().st_size + w.data_alignment + padded)
        parameters = llama_cpp.llama_model_quantize_default_params()
        parameters.ftype = FTYPES[file_type]
        parameters.dry_run = True
        llama_cpp.llama_log_set(hear, ctypes.c_void_p(0))
        failed = llama_cpp.llama_model_quantize(bytes(path), b"", ctypes.byref(parameters))
        llama_cpp.llama_log_set(llama_cpp.llama_log_callback(0), ctypes.c_void_p(0))
    text = "".join(said)
    if failed:
        sys.exit(f"gguf_model.py: llama.cpp's quantizer refused the shape:\n{text}")
    for name, kind in re.findall(r"\] +(\S+) +- .*? MiB -> .*?\((\w+)\)", text):
        types[name] = gguf.GGMLQuantizationType[kind.upper()]
    left = [name for name, kind in types.items() if kind == F16]
    if left:
        sys.exit(f"gguf_model.py: llama.cpp's quantizer named no type for {left[0]} and {len(left) - 1} more:\n{text}")
    return types


def f16(value):
    return np.frombuffer(np.float16(value).tobytes(), np.uint8)


def deviation(name, shape):
    """Products keep the size of their input; tokens differ so much that the routers send them to different experts."""
    return EMBEDDING if name == "token_embd.weight" else 1 / np.sqrt(shape[-1])


def blocks(random, shape, kind, deviation):
    """Random codes, and in each block the scales that give weights of this standard deviation."""
    _, block_bytes = gguf.GGML_QUANT_SIZES[kind]
    data = random.integers(0, 2**64, size(shape, kind) // 8, np.uint64).view(np.uint8).reshape(-1, block_bytes)
    places, spread = SCALES[kind.name]
    d = deviation / spread
    for what, place in places:
        data[:, place : place + 2] = f16(d if what == "d" else d * MIDDLE[kind.name])
    return data.reshape(-1)


def numbers(random, name, shape):
    """What stays f32. A decay near one, as in a trained model, so that the recurrent state neither dies nor grows."""
    if name.endswith("ssm_a"):
        values = -random.uniform(0.01, 0.1, shape)
    elif "_norm" in name:
        values = random.uniform(0.5, 1.5, shape)
    else:
        values = random.normal(0, deviation(name, shape), shape)
    return values.astype(np.float32)


def bytes_per_token(path):
    """What one token must read of the weights: all but the embedding table, and of the routed experts those it uses."""
    total = 0
    for tensor in gguf.GGUFReader(path).tensors:
        if tensor.name == "token_embd.weight":
            continue
        total += int(tensor.n_bytes) * USED // EXPERTS if "_exps." in tensor.name else int(tensor.n_bytes)
    return total


def main(file_type, path):
    path = pathlib.Path(path)
    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    types = types_of(file_type)
    random = np.random.default_rng(20260101)
    unfinished = path.with_suffix(".new")
    w = writer(types)
    write_header(w, unfinished)
    for name, shape in tensors():
        if types[name] == F32:
            w.write_tensor_data(numbers(random, name, shape))
        else:
            w.write_tensor_data(blocks(random, shape, types[name], deviation(name, shape)))
    w.close()
    os.replace(unfinished, path)


if __name__ == "__main__":
    if len(sys.argv) != 3 or sys.argv[1] not in FTYPES:
        sys.exit(__doc__)
    main(*sys.argv[1:])
