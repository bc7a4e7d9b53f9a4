"""The multi-token-prediction module by its formulas, in float64 and without transformers' layers.

    u = fc(concat[norm_embedding(embed(x[t+1])), norm_hidden(H[t])])      H behind the model's final norm
    z = norm(layer(u))         one layer of gated attention and experts, position t
    lm_head(z) predicts x[t+2]; draft k+1 takes the embedding of draft k and z of the step before, one position later
"""

import torch
from torch.nn import functional as F


class Mtp:
    def __init__(self, tensors, config, inverse_frequency, attention_factor):
        self.w = {name: tensor.double() for name, tensor in tensors.items()}
        self.c = config
        self.frequency = inverse_frequency.double()
        self.factor = attention_factor
        self.keys, self.values = [], []
        self.router_margin = float("inf")
        head = "model.embed_tokens" if config["tie_word_embeddings"] else "lm_head"
        self.head = self.w[head + ".weight"]

    def norm(self, x, name):
        x = x * torch.rsqrt((x * x).mean(-1, keepdim=True) + self.c["rms_norm_eps"])
        return x * (1 + self.w[name + ".weight"])

    def linear(self, x, name):
        return x @ self.w[name + ".weight"].T

    def read(self, token, hidden):
        """One pair -> z; keys and values stay for the next."""
        e = self.norm(self.w["model.embed_tokens.weight"][token], "mtp.pre_fc_norm_embedding")
        u = self.linear(torch.cat([e, self.norm(hidden.double(), "mtp.pre_fc_norm_hidden")]), "mtp.fc")
        h = u + self.attention(self.norm(u, "mtp.layers.0.input_layernorm"), "mtp.layers.0.self_attn")
        y = h + self.experts(self.norm(h, "mtp.layers.0.post_attention_layernorm"), "mtp.layers.0.mlp")
        return self.norm(y, "mtp.norm")

    def logits(self, z):
        return self.head @ z

    def attention(self, x, name):
        heads, kv, dim = (self.c[k] for k in ("num_attention_heads", "num_key_value_heads", "head_dim"))
        q, gate = self.linear(x, name + ".q_proj").view(heads, 2, dim).unbind(1)
        k = self.norm(self.linear(x, name + ".k_proj").view(kv, dim), name + ".k_norm")
        self.values.append(self.linear(x, name + ".v_proj").view(kv, dim))
        position = len(self.keys)
        self.keys.append(self.rotate(k, position))
        q = self.rotate(self.norm(q, name + ".q_norm"), position).view(kv, heads // kv, dim)
        scores = torch.einsum("ghd,tgd->ght", q, torch.stack(self.keys)) / dim**0.5
        out = torch.einsum("ght,tgd->ghd", scores.softmax(-1), torch.stack(self.values)).reshape(heads, dim)
        return self.linear((out * torch.sigmoid(gate)).flatten(), name + ".o_proj")

    def rotate(self, x, position):
        half = len(self.frequency)
        # The angle is a float32 product, as in every implementation.
        angle = (position * self.frequency.float()).double()
        cos, sin = angle.cos() * self.factor, angle.sin() * self.factor
        a, b, rest = x[:, :half], x[:, half : 2 * half], x[:, 2 * half :]
        return torch.cat([a * cos - b * sin, b * cos + a * sin, rest], -1)

    def swiglu(self, x, name):
        inner = F.silu(self.linear(x, name + ".gate_proj")) * self.linear(x, name + ".up_proj")
        return self.linear(inner, name + ".down_proj")

    def experts(self, x, name):
        k = self.c["num_experts_per_tok"]
        logits = self.linear(x, name + ".gate")
        ordered = logits.sort(descending=True)
        if k < len(logits):
            self.router_margin = min(self.router_margin, float(ordered.values[k - 1] - ordered.values[k]))
        weights = logits.softmax(0)[ordered.indices[:k]]
        if self.c["norm_topk_prob"]:
            weights = weights / weights.sum()
        routed = sum(p * self.swiglu(x, f"{name}.experts.{e}") for p, e in zip(weights, ordered.indices[:k].tolist()))
        shared = self.swiglu(x, name + ".shared_expert")
        return routed + torch.sigmoid(self.linear(x, name + ".shared_expert_gate")) * shared
