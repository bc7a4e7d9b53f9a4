"""transformers as the reference: float32 arithmetic on the stored weights, eager attention and experts, CPU."""

import torch
import transformers
from transformers import AutoModelForCausalLM

from prompts import Run

torch.set_num_threads(1)
torch.set_grad_enabled(False)
transformers.logging.set_verbosity_error()
transformers.logging.disable_progress_bar()


class Model:
    def __init__(self, folder):
        self.model = AutoModelForCausalLM.from_pretrained(
            folder, dtype=torch.float32, attn_implementation="eager", experts_implementation="eager"
        )
        # transformers 5.23 has no cache for a model without attention layers; such a model reads everything again.
        self.cached = "full_attention" in self.model.config.layer_types
        self.margins = []
        for module in self.model.modules():
            if type(module).__name__ == "Qwen3NextTopKRouter":
                module.register_forward_hook(self.record)

    def record(self, router, _, outputs):
        logits, k = outputs[0], router.top_k
        if k < logits.shape[-1]:
            best = logits.sort(dim=-1, descending=True).values
            self.margins.append(best[:, k - 1] - best[:, k])

    def forward(self, ids, past=None):
        """ids [B, T] behind what was read before -> Run, and what a next call needs."""
        self.margins.clear()
        if not self.cached:
            ids = [before + new for before, new in zip(past, ids)] if past else ids
            out = self.model(input_ids=torch.tensor(ids), use_cache=False)
            past = ids
        else:
            out = self.model(input_ids=torch.tensor(ids), past_key_values=past, use_cache=True)
            past = out.past_key_values
        margins = [m.reshape(len(ids), -1).numpy() for m in self.margins]
        return Run.of(out.logits.numpy(), margins), past
