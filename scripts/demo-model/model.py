"""Qwen3-Next for training on a CPU: the model, its MTP layer and its loss, in plain PyTorch.

Parameter names and shapes are those of transformers' Qwen3NextForCausalLM (experts stacked), so that a
checkpoint of this file loads there without a table; `mtp.*` follows the published names. Every token row goes
through the same arithmetic as in the paper's formulas; only the delta rule is computed in chunks.

B batch, T tokens, D hidden, H heads, N = B*T, E experts, K experts per token, I inner size of an expert.
"""
import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn


@dataclass
class Config:
    vocab_size: int = 2048
    hidden_size: int = 128
    num_hidden_layers: int = 8
    full_attention_interval: int = 4
    num_attention_heads: int = 4
    num_key_value_heads: int = 2
    head_dim: int = 64
    partial_rotary_factor: float = 0.25
    rope_theta: float = 10000.0
    linear_num_key_heads: int = 1
    linear_num_value_heads: int = 2
    linear_key_head_dim: int = 128
    linear_value_head_dim: int = 128
    linear_conv_kernel_dim: int = 4
    num_experts: int = 32
    num_experts_per_tok: int = 4
    moe_intermediate_size: int = 64
    shared_expert_intermediate_size: int = 64
    max_position_embeddings: int = 2048
    rms_norm_eps: float = 1e-6


COMPUTE = torch.float32      # dtype of the large products: on CPUs without AMX float32 is the faster one (measured)
CHUNK = 64                   # tokens per chunk of the delta rule


def weight(*shape, std=None):
    """A matrix [..., out, in]; without `std`, half of the usual 1/sqrt(in)."""
    return nn.Parameter(torch.randn(*shape) * (0.5 / math.sqrt(shape[-1]) if std is None else std))


def linear(x, w):
    return F.linear(x.to(COMPUTE), w.to(COMPUTE))


def rms_norm(x, w, eps=1e-6):
    """x / rms(x) * (1 + w): the zero-centred norm of the published checkpoints."""
    x = x.float()
    return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + eps) * (1 + w)


class Weight(nn.Module):
    """Gives a parameter the checkpoint's name `<module>.weight`."""
    def __init__(self, *shape, std=None, fill=None):
        super().__init__()
        self.weight = nn.Parameter(torch.full(shape, float(fill))) if fill is not None else weight(*shape, std=std)


# ------------------------------------------------------------------------------------------- full attention

class Attention(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.c = c
        D, H, KV, d = c.hidden_size, c.num_attention_heads, c.num_key_value_heads, c.head_dim
        self.q_proj = Weight(2 * H * d, D)          # per head: query, then gate
        self.k_proj = Weight(KV * d, D)
        self.v_proj = Weight(KV * d, D)
        self.o_proj = Weight(D, H * d, std=0.005)
        self.q_norm = Weight(d, fill=0)
        self.k_norm = Weight(d, fill=0)
        # o_proj begins as half of v_proj's inverse: from the first step on, a token that is attended to raises its own
        # logit (see lm_head below). What is left to learn for carrying a name through a story is where to look.
        if KV * d == D:
            Q = torch.linalg.qr(torch.randn(D, D))[0]
            self.v_proj.weight.data.copy_(Q)
            back = Q.t().reshape(D, KV, 1, d).expand(D, KV, H // KV, d).reshape(D, H * d)
            self.o_proj.weight.data.copy_(0.5 * back)

    def forward(self, x, cos, sin):
        c = self.c
        B, T, _ = x.shape
        H, KV, d = c.num_attention_heads, c.num_key_value_heads, c.head_dim
        q, gate = linear(x, self.q_proj.weight).view(B, T, H, 2 * d).chunk(2, -1)
        k = linear(x, self.k_proj.weight).view(B, T, KV, d)
        v = linear(x, self.v_proj.weight).view(B, T, KV, d)
        q = rotate(rms_norm(q, self.q_norm.weight), cos, sin).transpose(1, 2)
        k = rotate(rms_norm(k, self.k_norm.weight), cos, sin).transpose(1, 2)
        k, v = (t.repeat_interleave(H // KV, 1) for t in (k, v.transpose(1, 2)))
        o = F.scaled_dot_product_attention(q.to(COMPUTE), k.to(COMPUTE), v.to(COMPUTE), is_causal=True)
        o = o.transpose(1, 2).reshape(B, T, H * d) * torch.sigmoid(gate.reshape(B, T, H * d))
        return linear(o, self.o_proj.weight)


def rotary(c, T):
    """cos and sin [T, 1, r/2] of the first r = head_dim * partial_rotary_factor dimensions."""
    r = int(c.head_dim * c.partial_rotary_factor)
    frequency = c.rope_theta ** (-torch.arange(0, r, 2).float() / r)
    angle = torch.arange(T).float()[:, None] * frequency
    return angle.cos()[:, None], angle.sin()[:, None]


def rotate(x, cos, sin):
    h = cos.shape[-1]
    a, b, rest = x[..., :h], x[..., h:2 * h], x[..., 2 * h:]
    return torch.cat([a * cos - b * sin, b * cos + a * sin, rest], -1)


# --------------------------------------------------------------------------------------------- gated delta net

class DeltaNet(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.c = c
        D, nk, nv = c.hidden_size, c.linear_num_key_heads, c.linear_num_value_heads
        dk, dv = c.linear_key_head_dim, c.linear_value_head_dim
        self.in_proj_qkvz = Weight(2 * nk * dk + 2 * nv * dv, D)    # per key head: q, k, v, z
        self.in_proj_ba = Weight(2 * nv, D)                         # per key head: b, a
        self.conv1d = Weight(2 * nk * dk + nv * dv, 1, c.linear_conv_kernel_dim, std=0.3)
        self.norm = Weight(dv, fill=1)                              # plain weight, not zero-centred
        self.out_proj = Weight(D, nv * dv, std=0.005)
        # Slow decay at the start: the state must carry a name over a whole story.
        self.A_log = nn.Parameter(torch.empty(nv).uniform_(1, 8).log())
        dt = torch.empty(nv).uniform_(math.log(0.003), math.log(0.1)).exp()
        self.dt_bias = nn.Parameter(dt + torch.log(-torch.expm1(-dt)))

    def forward(self, x):
        c = self.c
        B, T, _ = x.shape
        nk, nv, dk, dv = (c.linear_num_key_heads, c.linear_num_value_heads, c.linear_key_head_dim, c.linear_value_head_dim)
        r = nv // nk
        q, k, v, z = linear(x, self.in_proj_qkvz.weight).view(B, T, nk, -1).split([dk, dk, r * dv, r * dv], -1)
        b, a = F.linear(x.float(), self.in_proj_ba.weight).view(B, T, nk, 2 * r).chunk(2, -1)
        z = z.reshape(B, T, nv, dv)

        qkv = torch.cat([t.reshape(B, T, -1) for t in (q, k, v)], -1).float()
        taps = self.conv1d.weight[:, 0]                             # tap 0 meets the oldest input
        n = taps.shape[-1]
        padded = F.pad(qkv, (0, 0, n - 1, 0))
        qkv = F.silu(sum(padded[:, i:i + T] * taps[:, i] for i in range(n)))
        q, k, v = qkv.split([nk * dk, nk * dk, nv * dv], -1)
        q = unit(q.reshape(B, T, nk, dk)) * dk ** -0.5
        k = unit(k.reshape(B, T, nk, dk))
        if r > 1:
            q, k = q.repeat_interleave(r, 2), k.repeat_interleave(r, 2)

        beta = torch.sigmoid(b.reshape(B, T, nv))
        g = -self.A_log.float().exp() * F.softplus(a.reshape(B, T, nv) + self.dt_bias)
        o = delta_rule(q, k, v.reshape(B, T, nv, dv), beta, g)
        o = o * torch.rsqrt(o.pow(2).mean(-1, keepdim=True) + 1e-6) * self.norm.weight * F.silu(z.float())
        return linear(o.reshape(B, T, nv * dv), self.out_proj.weight)


def unit(x):
    return x * torch.rsqrt(x.pow(2).sum(-1, keepdim=True) + 1e-6)


def delta_rule(q, k, v, beta, g):
    """S <- exp(g) S; S <- S + beta (v - S k) k^T; o = S q, for all tokens, in chunks (Yang et al., Gated Delta Networks).

    q, k [B, T, H, dk], v [B, T, H, dv], beta and g [B, T, H]; float32; T is padded to whole chunks.
    """
    B, T, H, dk = q.shape
    C, pad = CHUNK, -T % CHUNK
    if pad:
        q, k, v = (F.pad(t, (0, 0, 0, 0, 0, pad)) for t in (q, k, v))
        beta, g = (F.pad(t, (0, 0, 0, pad)) for t in (beta, g))
    q, k, v = (t.transpose(1, 2).reshape(B, H, -1, C, t.shape[-1]) for t in (q, k, v))
    beta, g = (t.transpose(1, 2).reshape(B, H, -1, C, 1) for t in (beta, g))
    G = g.cumsum(-2)
    lower = torch.ones(C, C, dtype=torch.bool, device=q.device).tril()
    # Mask before exp: above the diagonal the difference is positive and would overflow.
    decay = torch.where(lower, G - G.transpose(-1, -2), -1e4).exp()
    kt = k.transpose(-1, -2)
    A = ((beta * k) @ kt * decay).tril(-1)
    UW = solve_unit_lower(A, torch.cat([beta * v, beta * k * G.exp()], -1))
    U, W = UW.split([v.shape[-1], dk], -1)
    within = q @ kt * decay
    q_in, k_out, g_all = q * G.exp(), (k * (G[..., -1:, :] - G).exp()).transpose(-1, -2), G[..., -1:, :].exp()
    S = v.new_zeros(B, H, dk, v.shape[-1])
    out = []
    for i in range(U.shape[2]):
        new = U[:, :, i] - W[:, :, i] @ S
        out.append(q_in[:, :, i] @ S + within[:, :, i] @ new)
        S = S * g_all[:, :, i] + k_out[:, :, i] @ new
    return torch.stack(out, 2).reshape(B, H, -1, v.shape[-1])[:, :, :T].transpose(1, 2)


def solve_unit_lower(A, rhs):
    """(I + A)^-1 rhs for strictly lower A."""
    eye = torch.eye(A.shape[-1], dtype=A.dtype, device=A.device)
    return torch.linalg.solve_triangular(A + eye, rhs, upper=False, unitriangular=True)


# ---------------------------------------------------------------------------------------------------- experts

class SharedExpert(nn.Module):
    def __init__(self, D, I):
        super().__init__()
        self.gate_proj, self.up_proj, self.down_proj = Weight(I, D), Weight(I, D), Weight(D, I, std=0.005)

    def forward(self, x):
        return linear(F.silu(linear(x, self.gate_proj.weight)) * linear(x, self.up_proj.weight), self.down_proj.weight)


class Experts(nn.Module):
    def __init__(self, E, D, I):
        super().__init__()
        self.gate_up_proj = weight(E, 2 * I, D)
        self.down_proj = weight(E, D, I, std=0.005)


class Moe(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.c = c
        D, E = c.hidden_size, c.num_experts
        self.gate = Weight(E, D, std=0.02)
        self.experts = Experts(E, D, c.moe_intermediate_size)
        self.shared_expert = SharedExpert(D, c.shared_expert_intermediate_size)
        self.shared_expert_gate = Weight(1, D, std=0.02)

    def route(self, x):
        """x [N, D] -> chosen experts [N, K], their shares [N, K], balance loss. Float32: near-ties flip in bf16."""
        c = self.c
        probability = F.linear(x.float(), self.gate.weight).softmax(-1)
        p, chosen = probability.topk(c.num_experts_per_tok, -1)
        load = torch.zeros_like(probability).scatter(-1, chosen, 1.0).mean(0)
        balance = c.num_experts / c.num_experts_per_tok * (load * probability.mean(0)).sum()
        return chosen, p / p.sum(-1, keepdim=True), balance

    def shared(self, x):
        return torch.sigmoid(linear(x, self.shared_expert_gate.weight)) * self.shared_expert(x)


class RoutedExperts(torch.autograd.Function):
    """y[n] = sum_k p[n,k] * down_e(silu(gate_e x[n]) * up_e x[n]), e = chosen[n,k].

    Rows are sorted by expert, so that each expert is one product; the backward pass is written out because a
    graph of 32 slices per layer would cost more than the products.
    """
    @staticmethod
    def forward(ctx, x, chosen, p, gate_up, down):
        N, K = chosen.shape
        E = gate_up.shape[0]
        x, gate_up, down = x.to(COMPUTE), gate_up.to(COMPUTE), down.to(COMPUTE)
        flat = chosen.reshape(-1)
        order = flat.argsort()
        ends = torch.bincount(flat, minlength=E).cumsum(0).tolist()
        spans = list(zip([0] + ends[:-1], ends))
        rows = order // K
        xs = x[rows]
        h = xs.new_empty(N * K, gate_up.shape[1])
        for e, (s, t) in enumerate(spans):
            if t > s: torch.mm(xs[s:t], gate_up[e].t(), out=h[s:t])
        act = swiglu(h)
        ys = xs.new_empty(N * K, down.shape[1])
        for e, (s, t) in enumerate(spans):
            if t > s: torch.mm(act[s:t], down[e].t(), out=ys[s:t])
        back = torch.empty_like(order)
        back[order] = torch.arange(N * K)
        y = combine(ys[back].view(N, K, -1), p)
        ctx.save_for_backward(xs, h, act, ys, p, gate_up, down, order, back)
        ctx.spans = spans
        return y

    @staticmethod
    def backward(ctx, dy):
        xs, h, act, ys, p, gate_up, down, order, back = ctx.saved_tensors
        N, K = p.shape
        dys, dp_sorted = weigh(dy.to(COMPUTE)[order // K], ys, p.reshape(-1)[order])
        d_act = torch.empty_like(act)
        d_down = torch.zeros_like(down)
        for e, (s, t) in enumerate(ctx.spans):
            if t > s:
                torch.mm(dys[s:t], down[e], out=d_act[s:t])
                torch.mm(dys[s:t].t(), act[s:t], out=d_down[e])
        dh = swiglu_backward(h, d_act)
        dxs = torch.empty_like(xs)
        d_gate_up = torch.zeros_like(gate_up)
        for e, (s, t) in enumerate(ctx.spans):
            if t > s:
                torch.mm(dh[s:t], gate_up[e], out=dxs[s:t])
                torch.mm(dh[s:t].t(), xs[s:t], out=d_gate_up[e])
        dx = dxs[back].view(N, K, -1).float().sum(1)
        return dx, None, dp_sorted[back].view(N, K), d_gate_up.float(), d_down.float()


def swiglu(h):
    gate, up = h.float().chunk(2, -1)
    return (F.silu(gate) * up).to(h.dtype)


def swiglu_backward(h, d):
    gate, up = h.float().chunk(2, -1)
    d, s = d.float(), torch.sigmoid(gate)
    return torch.cat([d * up * s * (1 + gate * (1 - s)), d * gate * s], -1).to(h.dtype)


def combine(ys, p):
    return (ys.float() * p[..., None]).sum(1)


def weigh(dy, ys, p):
    dy = dy.float()
    return (dy * p[:, None]).to(ys.dtype), (dy * ys.float()).sum(-1)


# ----------------------------------------------------------------------------------------------- block, model

class Block(nn.Module):
    def __init__(self, c, full):
        super().__init__()
        self.full = full
        if full: self.self_attn = Attention(c)
        else: self.linear_attn = DeltaNet(c)
        self.mlp = Moe(c)
        self.input_layernorm = Weight(c.hidden_size, fill=0)
        self.post_attention_layernorm = Weight(c.hidden_size, fill=0)

    def forward(self, x, cos, sin):
        x, y, chosen, p, balance = (before_experts_full if self.full else before_experts_linear)(self, x, cos, sin)
        routed = RoutedExperts.apply(y, chosen, p, self.mlp.experts.gate_up_proj, self.mlp.experts.down_proj)
        return x + routed.view_as(x), balance


def before_experts_full(block, x, cos, sin):
    x = x + block.self_attn(rms_norm(x, block.input_layernorm.weight), cos, sin).float()
    return route_and_share(block, x)


def before_experts_linear(block, x, cos, sin):
    x = x + block.linear_attn(rms_norm(x, block.input_layernorm.weight)).float()
    return route_and_share(block, x)


def route_and_share(block, x):
    y = rms_norm(x, block.post_attention_layernorm.weight)
    chosen, p, balance = block.mlp.route(y.view(-1, y.shape[-1]))
    return x + block.mlp.shared(y).float(), y.view(-1, y.shape[-1]), chosen, p, balance


class Trunk(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.embed_tokens = Weight(c.vocab_size, c.hidden_size, std=1)
        self.layers = nn.ModuleList(Block(c, (i + 1) % c.full_attention_interval == 0) for i in range(c.num_hidden_layers))
        self.norm = Weight(c.hidden_size, fill=0)


class Mtp(nn.Module):
    """Predicts x[t+2] from H[t] (after the final norm) and the embedding of x[t+1]."""
    def __init__(self, c):
        super().__init__()
        D = c.hidden_size
        self.fc = Weight(D, 2 * D)
        self.pre_fc_norm_embedding = Weight(D, fill=0)
        self.pre_fc_norm_hidden = Weight(D, fill=0)
        self.layers = nn.ModuleList([Block(c, True)])
        self.norm = Weight(D, fill=0)

    def forward(self, embedding, hidden, cos, sin):
        u = torch.cat([rms_norm(embedding, self.pre_fc_norm_embedding.weight),
                       rms_norm(hidden, self.pre_fc_norm_hidden.weight)], -1)      # embedding first
        y, balance = self.layers[0](linear(u, self.fc.weight).float(), cos, sin)
        return rms_norm(y, self.norm.weight), balance


class Model(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.c = c
        self.model = Trunk(c)
        self.mtp = Mtp(c)
        self.lm_head = Weight(c.vocab_size, c.hidden_size, std=1)
        # Words of one kind (names!) drift together and cannot be told apart for copying, unless their embeddings
        # start far apart and the head starts aligned with them.
        self.lm_head.weight.data.copy_(0.03 * self.model.embed_tokens.weight.data)

    def hidden(self, x):
        """Tokens [B, T] -> output of the final norm [B, T, D], balance loss."""
        cos, sin = rotary(self.c, x.shape[1])
        h, total = F.embedding(x, self.model.embed_tokens.weight), 0.0
        for layer in self.model.layers:
            h, balance = layer(h, cos, sin)
            total = total + balance
        return rms_norm(h, self.model.norm.weight), total

    def draft(self, hidden, following):
        """H[t] and the tokens x[t+1], both [B, T, ...] -> z [B, T, D]; lm_head(z[t]) predicts x[t+2]."""
        cos, sin = rotary(self.c, following.shape[1])
        return self.mtp(F.embedding(following, self.model.embed_tokens.weight), hidden, cos, sin)

    def logits(self, h):
        return linear(h, self.lm_head.weight).float()

    def loss(self, rows, weights):
        """rows and weights [B, T + 2] -> mean main loss, mean MTP loss, balance (mean over layers)."""
        T = rows.shape[1] - 2
        h, balance = self.hidden(rows[:, :T])
        z, more = self.draft(h, rows[:, 1:T + 1])
        main = cross_entropy(h, self.lm_head.weight, rows[:, 1:T + 1], weights[:, 1:T + 1])
        mtp = cross_entropy(z, self.lm_head.weight, rows[:, 2:], weights[:, 2:])
        return main, mtp, (balance + more) / (self.c.num_hidden_layers + 1)


def cross_entropy(h, head, target, weights):
    """Weighted mean over the tokens."""
    logits = linear(h, head).float().view(-1, head.shape[0])
    loss = F.cross_entropy(logits, target.reshape(-1), reduction="none")
    return (loss * weights.reshape(-1)).sum() / weights.sum()


def compile_parts():
    """Compiles everything but the loop over experts; about a minute per new shape."""
    global before_experts_full, before_experts_linear, cross_entropy, swiglu, swiglu_backward, combine, weigh
    compiled = torch.compile
    before_experts_full = compiled(before_experts_full, dynamic=False)
    before_experts_linear = compiled(before_experts_linear, dynamic=False)
    cross_entropy = compiled(cross_entropy, dynamic=False)
    swiglu, swiglu_backward = compiled(swiglu, dynamic=False), compiled(swiglu_backward, dynamic=False)
    combine, weigh = compiled(combine, dynamic=False), compiled(weigh, dynamic=False)
