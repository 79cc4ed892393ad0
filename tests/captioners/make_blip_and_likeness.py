"""Makes tiny random models with the file layout and the contracts of BLIP, CLIP and DINOv2, and what transformers answers for them.

    python tests/captioners/make_blip_and_likeness.py

needs torch, transformers 5, safetensors, tokenizers, numpy and Pillow. The pictures are formulas, so that none need be kept: the Rust
tests draw the same ones.
"""

import json
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors.torch import save_file
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from transformers import (
    BlipConfig,
    BlipForConditionalGeneration,
    CLIPConfig,
    CLIPModel,
    Dinov2Config,
    Dinov2Model,
    NoRepeatNGramLogitsProcessor,
    PreTrainedTokenizerFast,
)

HERE = Path(__file__).parent
CLIP_MEAN, CLIP_STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
SIZES = [(96, 64), (64, 96), (40, 40), (333, 257), (30, 200), (7, 5)]
WORDS = (
    "a an the of in on with and man woman cat dog photo picture red green blue white black small large young old sitting standing "
    "holding wearing shirt hat table chair tree grass sky water boat car street house window light dark hair eyes face hand near "
    "front side two three people group field beach mountain snow sun cup coffee book phone bike train bird horse . , ' -"
).split()


def picture(width, height):
    """The test picture of a size: two ramps and a pattern with hard edges."""
    x, y = np.meshgrid(np.arange(width), np.arange(height))
    red = x * 255 // max(width - 1, 1)
    green = y * 255 // max(height - 1, 1)
    blue = np.where((x // 5 + y // 7) % 2 == 0, (x * 11 + y * 29) % 256, 230)
    return Image.fromarray(np.stack([red, green, blue], axis=-1).astype(np.uint8), "RGB")


def pixels(image, mean, std):
    """[1, 3, height, width], as the published image processors scale it."""
    values = np.asarray(image).astype(np.float32) / 255.0
    values = (values - np.array(mean, np.float32)) / np.array(std, np.float32)
    return torch.from_numpy(values.transpose(2, 0, 1)[None].copy())


def bicubic(image, width, height):
    """As Pillow up to 12 resizes, when the models were trained: first across, then down. (Pillow 13 chooses by size.)"""
    across = image.resize((width, image.height), Image.Resampling.BICUBIC)
    return across.resize((width, height), Image.Resampling.BICUBIC)


def centre(image, short, crop):
    """The short side to `short` with Pillow's bicubic filter, then the middle `crop` x `crop`."""
    width, height = image.size
    if width <= height:
        size = (short, int(short * height / width))
    else:
        size = (int(short * width / height), short)
    image = bicubic(image, *size)
    left, top = (size[0] - crop) // 2, (size[1] - crop) // 2
    return image.crop((left, top, left + crop, top + crop))


def randomise(model, seed, scale, dtype):
    """Random weights that are large enough for the picture to matter, rounded to the type in which they are stored."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            noise = torch.randn(weight.shape, generator=generator)
            norm = "norm" in name.lower() or "layrnorm" in name
            if norm and name.endswith("weight"):
                value = 1.0 + 0.1 * noise
            elif weight.dim() >= 2 and "embedding" not in name:
                value = noise * scale / (weight[0].numel() ** 0.5)
            else:
                value = noise * 0.3
            weight.copy_(value.to(dtype).float())
    return model.eval()


def published(name):
    """The name of a weight in the files on the hub; transformers 5 calls DINOv2's attention otherwise inside."""
    for new, old in (("q_proj", "attention.query"), ("k_proj", "attention.key"), ("v_proj", "attention.value"), ("o_proj", "output.dense")):
        if name.startswith("encoder.layer."):
            name = name.replace(f"attention.{new}", f"attention.{old}")
    return name


def save(folder, model, config, dtype, extra=None):
    """`model.safetensors` and `config.json`, tied weights stored once; transformers must read them as the same model."""
    folder.mkdir(exist_ok=True)
    seen, tensors = {}, {}
    for name, value in model.state_dict().items():
        if value.data_ptr() in seen and value.shape == seen[value.data_ptr()]:
            continue
        seen[value.data_ptr()] = value.shape
        tensors[published(name)] = value.to(dtype).contiguous().clone() if value.is_floating_point() else value.clone()
    save_file({**tensors, **(extra or {})}, str(folder / "model.safetensors"), metadata={"format": "pt"})
    (folder / "model.safetensors").chmod(0o644)
    (folder / "config.json").write_text(json.dumps(config, indent=1) + "\n", encoding="utf-8")
    again, report = type(model).from_pretrained(folder, dtype=torch.float32, output_loading_info=True)
    assert not report["missing_keys"] and not report["mismatched_keys"], report
    for (name, mine), (_, theirs) in zip(model.state_dict().items(), again.state_dict().items(), strict=True):
        assert torch.equal(mine, theirs), name


def write(folder, expected):
    (folder / "expected.json").write_text(json.dumps(expected, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def wordpiece():
    """A tokenizer with the parts of BERT's, of few words; [DEC] and [ENC] have ids behind it, as in BLIP."""
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS, *"abcdefghijklmnopqrstuvwxyz", *(f"##{c}" for c in "abdefgilmnorstuy")]
    pieces += ["##ing", "##ed", "##s"]
    pieces = list(dict.fromkeys(pieces))
    tokenizer = Tokenizer(models.WordPiece({piece: i for i, piece in enumerate(pieces)}, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece(prefix="##", cleanup=True)
    tokenizer.add_special_tokens(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"])
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    return tokenizer, len(pieces)


def margin(model, image, ids, start, ngram):
    """The least distance between a chosen token and the next best allowed one: a case that hangs on rounding is no case."""
    least = float("inf")
    for n in range(start, len(ids)):
        logits = model.text_decoder(input_ids=torch.tensor([ids[:n]]), encoder_hidden_states=image, return_dict=True).logits[0, -1]
        if ngram:
            logits = NoRepeatNGramLogitsProcessor(ngram)(torch.tensor([ids[:n]]), logits[None])[0]
        best = logits.topk(2)
        assert best.indices[0].item() == ids[n]
        least = min(least, (best.values[0] - best.values[1]).item())
    return least


def blip():
    folder = HERE / "blip"
    tokenizer, size = wordpiece()
    text = dict(
        vocab_size=size + 2, hidden_size=32, encoder_hidden_size=24, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4,
        max_position_embeddings=48, bos_token_id=size, sep_token_id=3, pad_token_id=0, eos_token_id=2, is_decoder=True,
        hidden_act="gelu", layer_norm_eps=1e-12,
    )  # fmt: skip
    vision = dict(
        hidden_size=24, intermediate_size=40, num_hidden_layers=2, num_attention_heads=3, image_size=48, patch_size=8,
        hidden_act="gelu", layer_norm_eps=1e-5,
    )  # fmt: skip
    config = BlipConfig(text_config=text, vision_config=vision, projection_dim=16, image_text_hidden_size=16)
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, cls_token="[CLS]", sep_token="[SEP]", unk_token="[UNK]", pad_token="[PAD]")
    for seed in range(1000):
        model = randomise(BlipForConditionalGeneration(config), seed, 3.2, torch.float16)
        # The end must be reachable, but not at once.
        with torch.no_grad():
            model.text_decoder.cls.predictions.bias[3] = 3.0
        cases = blip_cases(model, fast)
        words = {word for case in cases for word in case["text"].split()}
        if len(cases) >= 16 and len(words) > 15 and len({len(case["ids"]) for case in cases}) > 5:
            break
    save(folder, model, {"architectures": ["BlipForConditionalGeneration"], "model_type": "blip", "projection_dim": 16,
                         "image_text_hidden_size": 16, "text_config": text, "vision_config": vision}, torch.float16)  # fmt: skip
    tokenizer.save(str(folder / "tokenizer.json"))
    print("blip", seed, *(case["text"] for case in cases), sep="\n")
    write(folder, {"cases": cases})


@torch.no_grad()
def blip_cases(model, fast):
    cases = []
    for width, height in SIZES:
        values = pixels(bicubic(picture(width, height), 48, 48), CLIP_MEAN, CLIP_STD)
        image = model.vision_model(pixel_values=values)[0]
        for prefix in ["", "a photo of a"]:
            for ngram in [0, 3]:
                inputs = {"input_ids": torch.tensor([fast(prefix)["input_ids"]])} if prefix else {}
                start = inputs["input_ids"].shape[1] - 1 if prefix else 1
                ids = model.generate(
                    pixel_values=values, max_new_tokens=16, num_beams=1, do_sample=False, no_repeat_ngram_size=ngram, **inputs
                )[0].tolist()
                least = margin(model, image, ids, start, ngram)
                print(f"{width} x {height}, {prefix!r}, {ngram}: {least:.4f}")
                if least < 0.005:
                    continue
                cases.append(
                    {"size": [width, height], "prefix": prefix, "no_repeat": ngram, "max_new": 16, "ids": ids,
                     "text": fast.decode(ids, skip_special_tokens=True), "image_sum": float(image.abs().sum())}
                )  # fmt: skip
    return cases


def byte_pairs(ends):
    """A tokenizer with the parts of CLIP's: bytes, bytes that end a word, a few merges, and the two marks as the last ids."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokens = [*alphabet, *(f"{c}</w>" for c in alphabet)]
    merges = [("c", "a"), ("ca", "t</w>"), ("d", "o"), ("do", "g</w>"), ("t", "h"), ("th", "e</w>"), ("r", "e"), ("re", "d</w>")]
    tokens += ["".join(pair) for pair in merges] + ends
    tokenizer = Tokenizer(
        models.BPE(
            {token: i for i, token in enumerate(tokens)}, merges, unk_token=ends[1], continuing_subword_prefix="", end_of_word_suffix="</w>"
        )
    )
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Lowercase()])
    split = Regex(r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+")
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split(split, "removed", invert=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(ends)
    first, last = (tokenizer.token_to_id(end) for end in ends)
    tokenizer.post_processor = processors.RobertaProcessing((ends[1], last), (ends[0], first), trim_offsets=False, add_prefix_space=False)
    return tokenizer, len(tokens)


TEXTS = ["a cat", "the red dog", "A CAT on the  mat!", "", "日本 café", "one two three four five six seven eight nine ten", "a cat's 42 hats"]


@torch.no_grad()
def clip():
    folder = HERE / "clip"
    tokenizer, size = byte_pairs(["<|startoftext|>", "<|endoftext|>"])
    text = dict(
        vocab_size=size, hidden_size=16, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2, max_position_embeddings=16,
        projection_dim=12, bos_token_id=size - 2, eos_token_id=size - 1, hidden_act="quick_gelu", layer_norm_eps=1e-5,
    )  # fmt: skip
    vision = dict(
        hidden_size=24, intermediate_size=48, num_hidden_layers=2, num_attention_heads=3, image_size=32, patch_size=8, projection_dim=12,
        hidden_act="quick_gelu", layer_norm_eps=1e-5, num_channels=3,
    )  # fmt: skip
    model = randomise(CLIPModel(CLIPConfig(text_config=text, vision_config=vision, projection_dim=12)), 7, 1.6, torch.float32)
    save(
        folder, model, {"architectures": ["CLIPModel"], "model_type": "clip", "projection_dim": 12, "logit_scale_init_value": 2.6592,
                        "text_config": text, "vision_config": vision}, torch.float32,
        {"text_model.embeddings.position_ids": torch.arange(16)[None], "vision_model.embeddings.position_ids": torch.arange(17)[None]},
    )  # fmt: skip
    tokenizer.save(str(folder / "tokenizer.json"))
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token="<|startoftext|>", eos_token="<|endoftext|>")
    images, texts = [], []
    for width, height in SIZES:
        values = pixels(centre(picture(width, height), 32, 32), CLIP_MEAN, CLIP_STD)
        images.append({"size": [width, height], "embedding": unit(model.get_image_features(pixel_values=values))})
    for line in TEXTS:
        ids = fast(line, truncation=True, max_length=16)["input_ids"]
        texts.append({"text": line, "ids": ids, "embedding": unit(model.get_text_features(input_ids=torch.tensor([ids])))})
    write(folder, {"images": images, "texts": texts})


@torch.no_grad()
def dinov2():
    folder = HERE / "dinov2"
    config = dict(
        hidden_size=24, num_hidden_layers=2, num_attention_heads=3, mlp_ratio=2, hidden_act="gelu", layer_norm_eps=1e-6, image_size=98,
        patch_size=14, num_channels=3, qkv_bias=True, use_swiglu_ffn=False,
    )  # fmt: skip
    model = randomise(Dinov2Model(Dinov2Config(**config)), 11, 1.6, torch.bfloat16)
    save(folder, model, {"architectures": ["Dinov2Model"], "model_type": "dinov2", **config}, torch.bfloat16)
    images = []
    for width, height in SIZES:
        values = pixels(centre(picture(width, height), 256, 224), IMAGENET_MEAN, IMAGENET_STD)
        images.append({"size": [width, height], "embedding": unit(model(pixel_values=values).pooler_output)})
    write(folder, {"images": images})


def unit(features):
    """The first row, of length one."""
    features = getattr(features, "pooler_output", features)[0]
    return [round(value, 7) for value in (features / features.norm()).tolist()]


if __name__ == "__main__":
    torch.set_num_threads(1)
    blip()
    clip()
    dinov2()
