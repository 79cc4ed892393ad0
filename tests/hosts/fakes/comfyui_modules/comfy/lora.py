"""Which names in LoRA files mean which layers."""

from __future__ import annotations

from typing import Any


def model_lora_keys_unet(model: Any, key_map: dict[str, str]) -> dict[str, str]:
    """Adds those of the UNet."""
    return {**key_map, **dict.fromkeys(model.layers, "")}


def model_lora_keys_clip(model: Any, key_map: dict[str, str]) -> dict[str, str]:
    """Adds those of the text encoders."""
    return {**key_map, **dict.fromkeys(model.layers, "")}
