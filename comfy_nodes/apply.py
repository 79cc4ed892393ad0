"""*Apply Concept* and *Concept Prompt*: drawing with concepts."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from . import catalog, host, installed
from .connection import told

STRENGTH = {"default": 1.0, "min": -10.0, "max": 10.0, "step": 0.05}


class ConceptdApply:
    """LoRA, word and prompt of a concept in one node."""

    DESCRIPTION = (
        "Draws with a concept: loads its LoRA and puts its word into the prompt, where its name, <Name> or <concept> "
        "stands. For several concepts put several of these nodes one behind another, the prompt too."
    )
    CATEGORY = "concepts"
    FUNCTION = "apply"
    RETURN_TYPES = ("MODEL", "CLIP", "CONDITIONING", "STRING")
    OUTPUT_TOOLTIPS = (
        "With the concept.",
        "With the concept.",
        "The prompt, encoded.",
        "The prompt as ComfyUI reads it; into the next Apply Concept, if there is one.",
    )

    def __init__(self) -> None:
        """Nothing is loaded yet."""
        self._loaded: tuple[str, dict[str, Any]] | None = None

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        """Model, words, concept."""
        prompt = "What to draw. Call the concept by its name, <Name> or <concept>."
        text = "Of the part for the text encoder; most concepts have none. The word itself has no strength."
        return {
            "required": {
                "model": ("MODEL",),
                "clip": ("CLIP",),
                "prompt": ("STRING", {"default": "", "multiline": True, "dynamicPrompts": True, "tooltip": prompt}),
                "concept": ("CONCEPT", {"tooltip": "From Concept Picker or Train Concept."}),
                "strength": ("FLOAT", {**STRENGTH, "tooltip": "Of the LoRA."}),
            },
            "optional": {"clip_strength": ("FLOAT", {**STRENGTH, "tooltip": text})},
        }

    @told
    def apply(
        self,
        model: Any,
        clip: Any,
        prompt: str,
        concept: Mapping[str, Any],
        strength: float,
        clip_strength: float = STRENGTH["default"],
    ) -> dict[str, Any]:
        """Loads and encodes; a concept that is not installed here yet is installed."""
        import comfy.sd
        import nodes

        here = installed.ensure(concept)
        lora = self._lora(here["lora"])
        refuse_misfit(here, lora, model, clip)
        model, clip = comfy.sd.load_lora_for_models(model, clip, lora, strength, clip_strength)
        text = catalog.in_prompt(prompt, [dict(concept)])
        [conditioning] = nodes.CLIPTextEncode().encode(clip, text)
        return {"ui": host.shown(text), "result": (model, clip, conditioning, text)}

    def _lora(self, path: str) -> dict[str, Any]:
        # By name alone: every training has files of a name of its own.
        if self._loaded is None or self._loaded[0] != path:
            import comfy.utils

            self._loaded = (path, comfy.utils.load_torch_file(path, safe_load=True))
        return self._loaded[1]


def refuse_misfit(concept: Mapping[str, Any], lora: Mapping[str, Any], model: Any, clip: Any) -> None:
    """Refuses a concept none of whose layers the checkpoint has: ComfyUI would only log each of them."""
    import comfy.lora

    known = comfy.lora.model_lora_keys_clip(clip.cond_stage_model, comfy.lora.model_lora_keys_unet(model.model, {}))
    layers = {key[: -len(".alpha")] for key in lora if key.endswith(".alpha")}
    if layers and not any(layer in known for layer in layers):
        family = (
            "Stable Diffusion 1.5"
            if any(key.startswith("lora_te_") or "down_blocks" in key for key in layers)
            else "XL"
        )
        raise ValueError(
            f"concept: {concept['name']} was trained for another kind of checkpoint ({family}); none of its "
            f"{len(layers)} layers is in this one. Load a checkpoint of that kind"
        )


class ConceptdPrompt:
    """A prompt in which concepts are called by name."""

    DESCRIPTION = (
        "Puts the words of concepts in place of their names. Without a concept connected, <Name> calls any that there "
        "is, and so does a bare name that is no everyday word. It loads no LoRA: Apply Concept does."
    )
    CATEGORY = "concepts"
    FUNCTION = "expand"
    RETURN_TYPES = ("STRING",)

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        """Text and, if wanted, concept."""
        return {
            "required": {"text": ("STRING", {"default": "", "multiline": True, "dynamicPrompts": True})},
            "optional": {"concept": ("CONCEPT", {"tooltip": "The one that is meant."})},
        }

    @classmethod
    def IS_CHANGED(cls, **_: Any) -> str:
        """The same text means something else when there are other concepts."""
        return hashlib.sha256(json.dumps(catalog.concepts(), sort_keys=True).encode()).hexdigest()

    @told
    def expand(self, text: str, concept: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """The prompt as ComfyUI reads it."""
        expanded = catalog.in_prompt(text, None if concept is None else [dict(concept)])
        return {"ui": host.shown(expanded), "result": (expanded,)}
