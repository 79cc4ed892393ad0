"""Loads a concept with Forge's own code, as it does when a picture is drawn: LoRA keys, LoRA weights, embeddings.

Run by a Python that has what Forge needs for this (torch, transformers, safetensors, psutil, sentencepiece):

    python forge_loaders.py FORGE BASE LORA EMBEDDINGS_FOLDER PROMPT

It prints what Forge made of them, as JSON. Forge's code stays in its checkout.
"""

from __future__ import annotations

import json
import os
import sys
from types import SimpleNamespace

FORGE, BASE, LORA, EMBEDDINGS, PROMPT = sys.argv[1:]
# Forge reads the command line itself.
sys.argv = [sys.argv[0], "--always-cpu"]
sys.path[:0] = [FORGE, os.path.join(FORGE, "packages_3rdparty")]

import torch  # noqa: E402
from safetensors import safe_open  # noqa: E402
from safetensors.torch import load_file  # noqa: E402
from transformers import CLIPTokenizer  # noqa: E402

from backend.patcher.lora import load_lora, merge_lora_to_weight, model_lora_keys_clip, model_lora_keys_unet  # noqa: E402
from backend.text_processing.textual_inversion import EmbeddingDatabase  # noqa: E402

# The sizes by which Forge maps names of diffusers to those of the checkpoint.
UNET = {
    "sd15": {
        "num_res_blocks": [2, 2, 2, 2],
        "channel_mult": [1, 2, 4, 4],
        "transformer_depth": [1, 1, 1, 1, 1, 1, 0, 0],
        "transformer_depth_output": [1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0],
        "transformer_depth_middle": 1,
    },
    "sdxl": {
        "num_res_blocks": [2, 2, 2],
        "channel_mult": [1, 2, 4],
        "transformer_depth": [0, 0, 2, 2, 10, 10],
        "transformer_depth_output": [0, 0, 0, 2, 2, 2, 10, 10, 10],
        "transformer_depth_middle": 10,
    },
}
REPOSITORY = {"sd15": "runwayml/stable-diffusion-v1-5", "sdxl": "stabilityai/stable-diffusion-xl-base-1.0"}
LAYERS = {"clip_l": 12, "clip_g": 32}
# Width of an embedding that each kind of model takes.
WIDTH = {"sd15": 768, "sdxl": 2048}


def main() -> None:
    """Prints what became of the files."""
    with safe_open(BASE, "pt") as checkpoint:
        prefix = "model.diffusion_model."
        names = {key[6:]: key for key in checkpoint.keys() if key.startswith(prefix)}
        shapes = {name: checkpoint.get_slice(key).get_shape() for name, key in names.items()}
        kind = "sdxl" if any(key.startswith("conditioner.embedders.1.") for key in checkpoint.keys()) else "sd15"
    lora = load_file(LORA)
    config = SimpleNamespace(huggingface_repo=REPOSITORY[kind])
    unet = SimpleNamespace(
        state_dict=lambda: dict.fromkeys(shapes), diffusion_model=SimpleNamespace(config=UNET[kind]), config=config
    )
    clip = SimpleNamespace(state_dict=lambda: dict.fromkeys(_clip_names(kind)))
    of_unet, left = load_lora(lora, model_lora_keys_unet(unet, {}))
    of_clip, left = load_lora(left, model_lora_keys_clip(clip, {}))
    print(
        json.dumps(
            {
                "kind": kind,
                "tensors": len(lora),
                "unet": len(of_unet),
                "clip": len(of_clip),
                "unmatched": sorted(left),
                "changed": sum(_changes(patch, shapes[name]) for name, patch in of_unet.items()),
                **_embeddings(kind),
            }
        )
    )


def _clip_names(kind: str) -> list[str]:
    parts = [*(f"self_attn.{one}_proj" for one in ("q", "k", "v", "out")), "mlp.fc1", "mlp.fc2"]
    encoders = ["clip_l"] if kind == "sd15" else ["clip_l", "clip_g"]
    return [
        f"{encoder}.transformer.text_model.encoder.layers.{layer}.{part}.weight"
        for encoder in encoders
        for layer in range(LAYERS[encoder])
        for part in parts
    ]


def _changes(patch: tuple, shape: list[int]) -> bool:
    """Whether Forge can add a patch to a weight of its shape, and that does something."""
    merged = merge_lora_to_weight([(1.0, patch, 1.0, None, None)], torch.zeros(shape), "weight")
    return list(merged.shape) == list(shape) and bool(merged.abs().max() > 0)


def _embeddings(kind: str) -> dict:
    """Which embeddings Forge loads for such a model, and which of them it finds in the prompt."""
    folder = os.path.join(FORGE, "backend", "huggingface", REPOSITORY[kind], "tokenizer")
    tokenizer = CLIPTokenizer.from_pretrained(folder)
    database = EmbeddingDatabase(tokenizer, WIDTH[kind])
    database.add_embedding_dir(EMBEDDINGS)
    database.load_textual_inversion_embeddings()
    ids = tokenizer([PROMPT], truncation=False, add_special_tokens=False)["input_ids"][0]
    found, at = [], 0
    while at < len(ids):
        embedding, length = database.find_embedding_at_position(ids, at)
        if embedding is not None:
            found.append([embedding.name, embedding.vectors])
        at += length or 1
    return {"loaded": sorted(database.word_embeddings), "skipped": sorted(database.skipped_embeddings), "found": found}


main()
