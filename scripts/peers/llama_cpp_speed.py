"""Measures llama.cpp on a GGUF file: load, prefill, and decode at depths. Threads apart, all is llama.cpp's default.

    llama_cpp_speed.py FILE THREADS repacked|stored      prints one JSON object

By default llama.cpp repacks some types into rows that are interleaved, at load; `stored` turns that off, which some
processors like better. Tokens are random. A deep context is not computed, which would take minutes: the state of 512
prefilled tokens is taken out, its keys and values are repeated until the depth is reached, and the result is put back.
The arithmetic of a step does not depend on what the keys hold. A prefill that would take too long is left out.
"""

import ctypes
import json
import struct
import sys
import time

import llama_cpp as lib
import numpy as np

PREFILL = (128, 512, 2048)
PREFILL_SECONDS = 80
REPEAT_SECONDS = 15  # or three times: the best counts
SEED = 512  # tokens whose keys and values fill a deep context
DEPTHS = (0, 4096, 16384)
UNCOUNTED, STEPS = 4, 20


BYTES = ctypes.POINTER(ctypes.c_uint8)


class Context:
    def __init__(self, path, threads, packing):
        said = []

        @lib.llama_log_callback
        def hear(_, text, __):
            said.append(text.decode(errors="replace"))

        self.hear = hear
        lib.llama_log_set(hear, ctypes.c_void_p(0))
        lib.llama_backend_init()
        started = time.perf_counter()
        parameters = lib.llama_model_default_params()
        parameters.use_extra_bufts = packing == "repacked"
        self.model = lib.llama_model_load_from_file(path.encode(), parameters)
        parameters = lib.llama_context_default_params()
        parameters.n_ctx = DEPTHS[-1] + UNCOUNTED + STEPS
        parameters.n_batch = PREFILL[-1]
        parameters.n_threads = parameters.n_threads_batch = threads
        self.context = self.model and lib.llama_init_from_model(self.model, parameters)
        if not self.context:
            sys.exit("llama_cpp_speed.py: llama.cpp refused the model:\n" + "".join(said))
        self.load_s = time.perf_counter() - started
        self.memory = lib.llama_get_memory(self.context)
        self.batch = lib.llama_batch_init(parameters.n_batch, 0, 1)
        self.random = np.random.default_rng(1)
        self.vocabulary = lib.llama_vocab_n_tokens(lib.llama_model_get_vocab(self.model))

    def clear(self):
        lib.llama_memory_clear(self.memory, True)

    def run(self, count, position):
        """Seconds for so many random tokens from this position on; logits of the last one."""
        batch = self.batch
        batch.n_tokens = count
        for i, token in enumerate(self.random.integers(0, self.vocabulary, count)):
            batch.token[i], batch.pos[i] = int(token), position + i
            batch.n_seq_id[i], batch.seq_id[i][0] = 1, 0
            batch.logits[i] = i == count - 1
        started = time.perf_counter()
        if lib.llama_decode(self.context, batch):
            sys.exit(f"llama_cpp_speed.py: llama_decode failed at position {position}")
        lib.llama_synchronize(self.context)
        return time.perf_counter() - started

    def state(self):
        state = np.zeros(lib.llama_state_seq_get_size(self.context, 0), np.uint8)
        lib.llama_state_seq_get_data(self.context, state.ctypes.data_as(BYTES), state.size, 0)
        return state.tobytes()

    def put(self, state):
        taken = lib.llama_state_seq_set_data(self.context, (ctypes.c_uint8 * len(state)).from_buffer_copy(state), len(state), 0)
        if taken != len(state):
            sys.exit(f"llama_cpp_speed.py: llama.cpp took {taken} of the {len(state)} bytes of a deep context's state")


def repeated(state, depth):
    """The state of one sequence with its keys and values repeated: src/llama-kv-cache.cpp, src/llama-memory-recurrent.cpp.

    magic, sequence, streams = 1; then cells, per cell (position, sequences, their numbers); transposed = 0, layers, and for the
    keys and then for the values of each layer: type, bytes of a row, a row per cell; then the recurrent part: cells = 1,
    position, and what stays.
    """
    cells, = struct.unpack_from("<I", state, 12)
    meta = struct.calcsize("<iI")
    sequences, = struct.unpack_from("<I", state, 20)
    meta += 4 * sequences
    out = [state[:12], struct.pack("<I", depth)]
    out += [struct.pack("<i", i) + state[20 : 16 + meta] for i in range(depth)]
    at = 16 + cells * meta
    transposed, layers = struct.unpack_from("<II", state, at)
    if transposed:
        sys.exit("llama_cpp_speed.py: llama.cpp did not choose flash attention, and its transposed values are not known here")
    out.append(state[at : at + 8])
    at += 8
    for _ in range(2 * layers):
        row, = struct.unpack_from("<Q", state, at + 4)
        out.append(state[at : at + 12])
        rows = state[at + 12 : at + 12 + cells * row]
        out += [rows] * (depth // cells)
        at += 12 + cells * row
    out += [state[at : at + 4], struct.pack("<i", depth - 1), state[at + 8 :]]
    return b"".join(out)


def prefill(c):
    """Reports of all sizes, and the state after SEED tokens."""
    c.run(32, 0)  # touches all
    reports, speed = [], float("inf")
    for tokens in PREFILL:
        if tokens / speed > PREFILL_SECONDS:
            break
        seconds = []
        while len(seconds) < 3 and sum(seconds) < REPEAT_SECONDS:
            c.clear()
            seconds.append(c.run(tokens, 0))
        speed = tokens / min(seconds)
        reports.append({"tokens": tokens, "tokens_per_s": speed})
        if tokens == SEED:
            state = c.state()
    return reports, state


def decode(c, depth, state):
    c.clear()
    if depth:
        c.put(repeated(state, depth))
    seconds = [c.run(1, depth + i) for i in range(UNCOUNTED + STEPS)][UNCOUNTED:]
    return {"depth": depth, "tokens": STEPS, "tokens_per_s": STEPS / sum(seconds)}


def main(path, threads, packing):
    c = Context(path, int(threads), packing)
    prefilled, state = prefill(c)
    decoded = [decode(c, depth, state) for depth in DEPTHS]
    print(json.dumps({"load_s": c.load_s, "decode": decoded, "prefill": prefilled}))


if __name__ == "__main__":
    if len(sys.argv) != 4 or sys.argv[3] not in ("repacked", "stored"):
        sys.exit(__doc__)
    main(*sys.argv[1:])
