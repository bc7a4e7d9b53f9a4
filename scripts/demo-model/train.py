"""Trains the demonstration model on a CPU for a number of minutes of wall clock.

    python train.py --tokenizer DIR --out DIR --minutes 90

The learning rate follows the share of the time that is used: constant to half, then linear to zero. The text is
made on the fly (corpus.row), so no token is seen twice. A checkpoint is written every few minutes; the same
command goes on from the last one. Loss = main + 0.3 MTP + 0.01 balance of the experts.

One process per core, each with its share of the batch; gradients are averaged once per step. On a machine that
also does other work this is faster than threads, which would wait for each other after every product.
"""
import argparse
import os
import time

import torch
import torch.distributed as dist
from tokenizers import Tokenizer

import corpus
import model as M
from tokenizer import Messages


@torch.no_grad()
def newton_schulz(G, steps=5):
    """An approximation of U V^T for G = U S V^T, matrices in the last two dimensions (Jordan et al., Muon)."""
    a, b, c = 3.4445, -4.7750, 2.0315
    X = G / (G.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    tall = X.shape[-2] > X.shape[-1]
    if tall: X = X.mT
    for _ in range(steps):
        A = X @ X.mT
        X = a * X + (b * A + c * A @ A) @ X
    return X.mT if tall else X


class Muon:
    """Momentum, then an orthogonal step. Parameters of one shape are stacked to one batch of products."""
    def __init__(self, parameters, lr, momentum=0.95):
        self.lr, self.momentum = lr, momentum
        self.parameters = parameters
        self.buffers = [torch.zeros_like(p) for p in parameters]
        self.groups = {}                        # shape of a matrix -> parameters that consist of such matrices
        for i, p in enumerate(parameters):
            rows, columns = p.shape[-2:]
            rows = rows // 2 if p.dim() == 3 and rows == columns else rows      # gate_up: two matrices
            self.groups.setdefault((rows, columns), []).append(i)

    @torch.no_grad()
    def step(self, scale):
        for shape, members in self.groups.items():
            updates = []
            for i in members:
                g, m = self.parameters[i].grad, self.buffers[i]
                m.mul_(self.momentum).add_(g)
                updates.append((g + self.momentum * m).reshape(-1, *shape))
            step = newton_schulz(torch.cat(updates))
            lr = self.lr * scale * 0.2 * max(shape) ** 0.5
            for i, u in zip(members, step.split([len(u) for u in updates])):
                self.parameters[i].sub_(u.view_as(self.parameters[i]), alpha=lr)


# The first tokens come in short rows, mostly very short stories: there a name is seldom far away, so the skill to
# carry it on is learned soon. In long rows from the start it had not begun after two million tokens.
WARM_UP_LENGTH = 128


def batch(first, size, length, messages, seed, brief=0.06):
    """`size` rows from number `first` on -> tokens and loss weights [size, length + 2]."""
    rows = [corpus.row(first + i, seed, messages, length + 2, brief) for i in range(size)]
    return torch.tensor([r[0] for r in rows]), torch.tensor([r[1] for r in rows])


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--tokenizer", required=True)
    p.add_argument("--out", required=True)
    p.add_argument("--minutes", type=float, default=90)
    p.add_argument("--batch", type=int, default=8)
    p.add_argument("--length", type=int, default=512)
    p.add_argument("--warm-up", type=int, default=500_000, help="tokens in short rows")
    p.add_argument("--processes", type=int, default=2)
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--eager", action="store_true", help="no compiler: slower, starts at once")
    p.add_argument("--max-steps", type=int, default=10 ** 9, help="for tests")
    a = p.parse_args()
    os.makedirs(a.out, exist_ok=True)
    meeting = os.path.join(a.out, f"meeting-{os.getpid()}")
    torch.multiprocessing.spawn(train, (a, meeting), a.processes)


def train(rank, a, meeting):
    """What each process does; process 0 prints and saves."""
    world = a.processes
    dist.init_process_group("gloo", init_method=f"file://{os.path.abspath(meeting)}", rank=rank, world_size=world)
    torch.manual_seed(a.seed)
    torch.set_num_threads(1)
    messages = Messages(Tokenizer.from_file(os.path.join(a.tokenizer, "tokenizer.json")))
    model = M.Model(M.Config())
    if not a.eager: M.compile_parts()

    # Muon takes the matrices of the layers; AdamW takes what is a table, a gate, a filter or a vector.
    by_muon = lambda n, w: w.dim() >= 2 and not any(s in n for s in ("embed", "lm_head", "mlp.gate.", "shared_expert_gate", "in_proj_ba", "conv1d"))
    named = list(model.named_parameters())
    muon = Muon([w for n, w in named if by_muon(n, w)], lr=0.009)
    others = [w for n, w in named if not by_muon(n, w)]
    rate = lambda n: 1e-2 if "embed" in n else 2e-3
    adam = torch.optim.AdamW([{"params": [w], "rate": rate(n)} for n, w in named if not by_muon(n, w)], betas=(0.9, 0.95), weight_decay=0.0)

    path, step, spent, tokens = os.path.join(a.out, "checkpoint.pt"), 0, 0.0, 0
    if os.path.exists(path):
        c = torch.load(path)
        model.load_state_dict(c["model"])
        rates = [g["rate"] for g in adam.param_groups]
        adam.load_state_dict(c["adam"])
        for g, r in zip(adam.param_groups, rates): g["rate"] = r
        for b, saved in zip(muon.buffers, c["muon"]): b.copy_(saved)
        step, spent, tokens = c["step"], c["spent"], c["tokens"]
        if rank == 0: print(f"goes on at step {step}, {spent / 60:.1f} minutes", flush=True)

    def save():
        torch.save({"model": model.state_dict(), "adam": adam.state_dict(), "muon": muon.buffers, "step": step,
                    "spent": spent, "tokens": tokens}, path + ".part")
        os.replace(path + ".part", path)

    def average(*numbers):
        """Averages the gradients, and some numbers with them, over the processes."""
        flat = torch.cat([w.grad.reshape(-1) if w.grad is not None else torch.zeros(w.numel()) for _, w in named] + [torch.tensor(numbers)])
        dist.all_reduce(flat)
        flat /= world
        for (_, w), g in zip(named, flat.split([w.numel() for _, w in named] + [len(numbers)])): w.grad = g.view_as(w)
        return flat[-len(numbers):].tolist()

    def mine(rows_done, count, *rest, **more):
        return batch(rows_done + rank * (count // world), count // world, *rest, **more)

    held_out = mine(0, a.batch, a.length, messages, "held-out")
    start, saved = time.time() - spent, spent
    while spent < a.minutes * 60 and step < a.max_steps:
        part = spent / (a.minutes * 60)
        scale = min(1.0, (step + 1) / 20, max(0.0, 1 - part) / 0.7)
        if tokens < a.warm_up:
            made = mine(tokens // WARM_UP_LENGTH, a.batch * a.length // WARM_UP_LENGTH, WARM_UP_LENGTH, messages, f"warm-up {a.seed}", brief=0.8)
        else:
            made = mine(tokens // a.length, a.batch, a.length, messages, a.seed)
        loss, mtp, balance = model.loss(*made)
        (loss + 0.3 * mtp + 0.01 * balance).backward()
        loss, mtp, balance, spent = average(loss.item(), mtp.item(), balance.item(), time.time() - start)
        torch.nn.utils.clip_grad_norm_(others, 1.0)
        for g in adam.param_groups: g["lr"] = g["rate"] * scale
        adam.step()
        muon.step(scale)
        model.zero_grad(set_to_none=True)
        step, tokens = step + 1, tokens + a.batch * a.length
        if rank == 0 and (step <= 5 or step % 20 == 0):
            print(f"step {step} minute {spent / 60:.1f} tokens {tokens / 1e6:.2f}M loss {loss:.4f} mtp {mtp:.4f} "
                  f"balance {balance:.3f} lr {scale:.3f} tok/s {tokens / spent:.0f}", flush=True)
        if step % 200 == 0 and tokens > a.warm_up:
            loss, mtp, _ = model.loss(*held_out)      # with gradients on, or it would be compiled once more
            if rank == 0: print(f"held-out step {step} minute {spent / 60:.1f} main {loss.item():.4f} mtp {mtp.item():.4f} (half of the rows)", flush=True)
        if spent - saved > 240:
            saved = spent
            if rank == 0: save()
    if rank == 0:
        save()
        print(f"finished: step {step}, {spent / 60:.1f} minutes, {tokens / 1e6:.2f}M tokens")
    dist.barrier()


if __name__ == "__main__":
    main()
