"""Quick checks of the parts, without a trained model: python check.py TOKENIZER_DIR"""
import random
import re
import sys

import torch

import corpus
import evaluate
import export
import model as M


def check_text_is_deterministic():
    say = lambda: [corpus.conversation(random.Random(f"check/{i}")) for i in range(50)]
    assert say() == say()


def check_stories_keep_their_names():
    rng = random.Random(7)
    for _ in range(500):
        facts = corpus.draw_facts(rng)
        told = corpus.story(rng, facts)
        right, belonging, mentions, _ = evaluate.inspect(told, facts["hs"])
        assert right and belonging == mentions and len(told.split()) > 100, told


def check_no_traces_of_the_grammar():
    rng = random.Random(8)
    for _ in range(500):
        for role, text in corpus.conversation(rng):
            assert not re.search(r"[\[\]{}|@]", text) and text == text.strip(), text


def check_held_out_heroes_are_not_told():
    rng = random.Random(9)
    for _ in range(2000):
        assert corpus.ask_story(rng)[1]["hs"] not in corpus.HELD_OUT_HEROES


def check_sums_are_right():
    rng = random.Random(10)
    for _ in range(2000):
        question, answer = corpus.add(rng)
        a, b, total = map(int, re.match(r"(\d+) \+ (\d+) = (\d+)\.", answer).groups())
        assert a + b == total <= 20, (question, answer)


def check_template():
    from transformers import AutoTokenizer
    chat = AutoTokenizer.from_pretrained(sys.argv[1])
    messages = [{"role": "system", "content": "S"}, {"role": "user", "content": "U"}, {"role": "assistant", "content": "A"}]
    expected = "<|im_start|>system\nS<|im_end|>\n<|im_start|>user\nU<|im_end|>\n<|im_start|>assistant\nA<|im_end|>\n"
    assert chat.apply_chat_template(messages, tokenize=False) == expected
    assert chat.apply_chat_template(messages[1:2], tokenize=False, add_generation_prompt=True) == expected[31:60] + "<|im_start|>assistant\n"
    from tokenizer import Messages
    from tokenizers import Tokenizer
    encode = Messages(Tokenizer.from_file(sys.argv[1] + "/tokenizer.json"))
    pieces = sum((encode(m["role"], m["content"])[0] for m in messages), [])
    assert pieces == chat(expected)["input_ids"], "training sees other tokens than the template gives"


def check_parity_with_transformers():
    """Random weights, float32, 150 tokens (more than two chunks of the delta rule)."""
    from transformers import Qwen3NextConfig, Qwen3NextForCausalLM
    torch.manual_seed(0)
    c = M.Config(vocab_size=512, num_hidden_layers=4, num_experts=8, hidden_size=64, linear_num_key_heads=2, linear_num_value_heads=4)
    ours = M.Model(c)
    with torch.no_grad():
        for name, w in ours.named_parameters():
            if "norm" in name: w.add_(torch.randn_like(w) * 0.1)
            elif w.dim() > 1: w.copy_(torch.randn_like(w) * 0.05)
        configuration = export.config(c, "float32")
        configuration.pop("torch_dtype")
        theirs = Qwen3NextForCausalLM._from_config(Qwen3NextConfig(**configuration), dtype=torch.float32).eval()
        theirs.load_state_dict({k: w for k, w in ours.state_dict().items() if not k.startswith("mtp.")})
        x = torch.randint(0, 512, (2, 150))
        difference = (theirs(x).logits - ours.logits(ours.hidden(x)[0])).abs().max().item()
    print(f"    largest difference of logits: {difference:.1e}")
    assert difference < 1e-4


def check_draft_uses_no_later_token():
    torch.manual_seed(0)
    ours = M.Model(M.Config(vocab_size=64, num_hidden_layers=4))
    x = torch.randint(0, 64, (1, 40))
    y = x.clone()
    y[0, 30] = (y[0, 30] + 1) % 64
    with torch.no_grad():
        draft = lambda t: ours.logits(ours.draft(ours.hidden(t)[0][:, :-1], t[:, 1:])[0])
        same = (draft(x) - draft(y)).abs().amax(-1)[0]
    assert same[:29].max() < 1e-5 and same[29] > 1e-5      # pair 29 is the first that sees x[30]


if __name__ == "__main__":
    passed = failed = 0
    for name, check in list(globals().items()):
        if not name.startswith("check_"): continue
        try:
            check()
            passed += 1
            print("ok  ", name)
        except Exception as e:
            failed += 1
            print("FAIL", name, repr(e)[:400])
    print(f"{passed} passed, {failed} failed")
    sys.exit(failed > 0)
