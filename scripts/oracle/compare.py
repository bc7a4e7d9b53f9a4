"""Random checkpoints through our command line, against transformers and mlx-lm.

Each shape is checked in the published layout and in MLX layouts: as mlx-lm converts and quantizes it, with overrides
for single modules, and as mlx-lm would never write it (mlx_layout.py). Fails where a logit is off by more than 1e-3, an
argmax or a greedy token differs, or our program refuses.
"""

import argparse
import collections
import json
import os
import pathlib
import random
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np

import checkpoints
import formats
import huggingface
import mlx_layout
import mlx_reference
import prompts
import qnext

TOLERANCE = 1e-3

Case = collections.namedtuple("Case", "shape format reference folder scored continued")
Row = collections.namedtuple("Row", "case difference wrong_argmax greedy failure")


def cases(options, work):
    """Makes the checkpoints one after another; each comes with what must come out."""
    turn = 0
    for index in options.only if options.only is not None else range(options.count):
        shape = checkpoints.draw(options.seed, index)
        seed = 1000 * options.seed + index
        tensors = checkpoints.weights(shape, seed)
        source = work / shape.name / "published"
        checkpoints.write(source, tensors, shape.written, shape.shards, shape.storage)
        if options.list:
            print(json.dumps(shape.written), flush=True)
        yield case(shape, shape.storage, "transformers", source, huggingface.Model(source), seed, 8)

        folder, twin = work / shape.name / "stacked", work / shape.name / "dequantized"
        mlx_layout.write(folder, twin, shape, tensors, seed)
        yield case(shape, "each its own", "transformers", folder, huggingface.Model(twin), seed, 8)
        if not shape.periodic:
            continue

        variants = [("plain", {}, None)] if index % 4 == 0 else [("overrides", {"bits": 4}, overrides(seed))]
        for _ in range(options.formats):
            form = formats.FORMATS[turn % len(formats.FORMATS)]
            turn += 8  # no divisor of 21: after 21 turns all had theirs, and each shape sees different ones
            variants.append((formats.name(form), form, None))
        for name, form, predicate in variants:
            folder = work / shape.name / name.replace(" ", "-")
            mlx_reference.convert(source, folder, shape.config | {"dtype": shape.storage}, predicate, **form)
            if predicate:
                forget_entries(folder, seed)
            yield case(shape, name, "mlx-lm", folder, mlx_reference.Model(folder), seed, 3)


def case(shape, form, reference, folder, model, seed, candidates):
    vocabulary = shape.config["vocab_size"]
    scored = prompts.scored(model, vocabulary, seed, candidates)
    if folder.name != "published":
        scored = scored[-1:]  # every length is tried once for each shape
    continued = prompts.continued(model, vocabulary, seed, candidates)
    return Case(shape.name, form, reference, folder, scored, continued)


def overrides(seed):
    """mlx-lm's quant_predicate that gives every module another format, or none."""
    r = random.Random(seed)

    def predicate(path, module):
        fitting = [f for f in formats.FORMATS if module.weight.shape[-1] % f["group_size"] == 0]
        return r.choice([True, False, dict(r.choice(fitting)), dict(r.choice(fitting))])

    return predicate


def forget_entries(folder, seed):
    """Drops half of the entries from config.json: the shapes tell the same."""
    r = random.Random(seed)
    file = folder / "config.json"
    config = json.loads(file.read_text())
    kept = {k: v for k, v in config["quantization"].items() if not isinstance(v, dict) or r.random() < 0.5}
    file.write_text(json.dumps(config | {"quantization": kept, "quantization_config": kept}))


def check(case, backend):
    difference, wrong = 0.0, 0
    try:
        for prompt in case.scored:
            ours = qnext.logits(case.folder, backend, prompt.ids)
            if ours.shape != prompt.logits.shape or not np.isfinite(ours).all():
                return Row(case, np.nan, 0, "", f"logits {ours.shape}, finite: {np.isfinite(ours).all()}")
            difference = max(difference, float(np.abs(ours - prompt.logits).max()))
            wrong += int((ours.argmax(-1) != prompt.logits.argmax(-1)).sum())
        expected = case.continued.tokens
        tokens = qnext.continuation(case.folder, backend, case.continued.ids, len(expected))
    except qnext.Failed as e:
        return Row(case, np.nan, 0, "", str(e))
    greedy = "equal"
    if tokens != expected:
        at = next((i for i, (a, b) in enumerate(zip(tokens, expected)) if a != b), min(len(tokens), len(expected)))
        margin = case.continued.top2_margins[at] if at < len(expected) else np.nan
        greedy = f"differs at {at} (margin {margin:.1e}, router {case.continued.router_margin:.1e})"
    bad = difference > TOLERANCE or wrong > 0 or greedy != "equal"
    return Row(case, difference, wrong, greedy, "wrong" if bad else "")


def margin(prompt):
    return min(prompt.router_margin, float(prompt.top2_margins.min()))


def table_line(row):
    least = min(map(margin, [*row.case.scored, row.case.continued]))
    numbers = (
        f"{row.difference:9.1e}  {'equal' if row.wrong_argmax == 0 else f'{row.wrong_argmax} differ':9}  {row.greedy:6}"
        if np.isfinite(row.difference)
        else ""
    )
    failed = f"  FAILED {row.failure}" if row.failure else ""
    return f"{row.case.shape:4}  {row.case.format:13} {row.case.reference:13} {least:7.0e}  {numbers}{failed}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=8, help="shapes (default %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="other shapes, weights and prompts (default %(default)s)")
    parser.add_argument("--formats", type=int, default=4, help="quantizations of each shape by mlx-lm")
    parser.add_argument("--only", type=int, nargs="+", help="these shapes of the seed, to look at a failure again")
    parser.add_argument("--backend", default="reference", help="of our program (default %(default)s)")
    parser.add_argument("--work", type=pathlib.Path, help="keep the checkpoints in this empty folder")
    parser.add_argument("--list", action="store_true", help="print every shape's config.json")
    options = parser.parse_args()

    began = time.monotonic()
    qnext.build()
    with tempfile.TemporaryDirectory() as temporary, ThreadPoolExecutor(os.cpu_count()) as pool:
        work = options.work or pathlib.Path(temporary)
        print("shape format        reference   margin  largest difference, argmax, greedy tokens")
        pending, rows = collections.deque(), []
        for case in cases(options, work):
            pending.append(pool.submit(check, case, options.backend))
            while pending and pending[0].done():
                rows.append(pending.popleft().result())
                print(table_line(rows[-1]), flush=True)
        for future in pending:
            rows.append(future.result())
            print(table_line(rows[-1]), flush=True)
    failed = [row for row in rows if row.failure]
    prompts_checked = sum(len(row.case.scored) + 1 for row in rows)
    print(
        f"{len(rows)} checkpoints, {prompts_checked} prompts, {len(failed)} failed, "
        f"largest difference {np.nanmax([row.difference for row in rows]):.1e} (tolerance {TOLERANCE:.0e}), "
        f"seed {options.seed}, {time.monotonic() - began:.0f} s"
    )
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
