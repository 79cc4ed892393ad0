"""What transformers' `generate` makes of a language model whose logits follow from position and last token: search/expected.json.

Needs torch and transformers 5:
    python make_search.py
"""

import itertools
import json
from pathlib import Path

import torch
from transformers import GenerationConfig, GenerationMixin, PretrainedConfig, PreTrainedModel
from transformers.modeling_outputs import CausalLMOutput

VOCABULARY, START, END = 24, 1, 2


def logits(position, token):
    """Numbers of a linear congruential generator that 32-bit floats hold exactly; the end grows likelier."""
    state = position * 1000 + token + 1
    row = []
    for _ in range(VOCABULARY):
        for _ in range(3):
            state = (state * 1103515245 + 12345) & 0x7FFFFFFF
        row.append((state >> 8 & 0xFFFF) / 8192)
    row[END] = row[END] / 2 + position / 4
    return row


class Config(PretrainedConfig):
    model_type = "table"
    vocab_size = VOCABULARY
    num_hidden_layers = 0


class Table(PreTrainedModel, GenerationMixin):
    config_class = Config
    main_input_name = "input_ids"

    def __init__(self, config):
        super().__init__(config)
        self.none = torch.nn.Parameter(torch.zeros(1))
        self.post_init()

    def forward(self, input_ids, **_):
        rows = [[logits(len(ids) - 1, ids[-1])] for ids in input_ids.tolist()]
        return CausalLMOutput(logits=torch.tensor(rows, dtype=torch.float32))

    def prepare_inputs_for_generation(self, input_ids, **_):
        return {"input_ids": input_ids}


def main():
    model, cases = Table(Config()).eval(), []
    kinds = itertools.product((1, 2, 3, 5), (True, False, "never"), (0.0, 1.0, 2.0, -1.0), ((0, None), (2, 5)), (1, 2, 7, 16))
    for beams, early, penalty, (no_repeat, first), most in kinds:
        if beams == 1 and (early is not True or penalty != 1.0):
            continue
        config = GenerationConfig(
            num_beams=beams, early_stopping=early if beams > 1 else None, length_penalty=penalty if beams > 1 else None,
            no_repeat_ngram_size=no_repeat, forced_bos_token_id=first, forced_eos_token_id=END if no_repeat else None,
            max_new_tokens=most, eos_token_id=END, pad_token_id=0, do_sample=False, use_cache=False,
            return_dict_in_generate=True, output_scores=True,
        )
        result = model.generate(torch.tensor([[START]]), generation_config=config)
        score = result.sequences_scores[0].item() if beams > 1 else None
        cases.append([beams, early, penalty, no_repeat, first, most, result.sequences[0].tolist(), score])
    path = Path(__file__).parent / "search" / "expected.json"
    path.write_text("[\n" + ",\n".join(json.dumps(case) for case in cases) + "\n]\n")
    print(len(cases), "cases")


if __name__ == "__main__":
    main()
