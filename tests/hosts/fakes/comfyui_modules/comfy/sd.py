"""Models with LoRAs."""

from __future__ import annotations

from typing import Any


def load_lora_for_models(model: Any, clip: Any, lora: Any, strength_model: float, strength_clip: float) -> Any:
    """Both with the LoRA."""
    return model.patched(lora, strength_model), clip.patched(lora, strength_clip)
