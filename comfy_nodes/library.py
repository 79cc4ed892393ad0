"""*Concept Picker* and *Concept Info*: what there is."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any

from . import catalog, host, installed, pictures
from .concept_client import ConceptdError, Daemon, DaemonNotRunning


class ConceptdPicker:
    """One of the concepts."""

    DESCRIPTION = "A concept of conceptd's library; while conceptd is not running, one of those installed here."
    CATEGORY = "concepts"
    FUNCTION = "pick"
    RETURN_TYPES = ("CONCEPT", "STRING", "IMAGE")
    RETURN_NAMES = ("concept", "prompt", "preview")
    OUTPUT_TOOLTIPS = ("For Apply Concept.", "A prompt that calls it.", "The base beside the concept.")

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        """The list, as it is now."""
        return {"required": {"concept": (catalog.labels(), {"tooltip": "By the name of its files; newest first."})}}

    @classmethod
    def VALIDATE_INPUTS(cls, concept: str | None = None) -> bool | str:
        """The list may have grown since the page was loaded."""
        if concept is None:
            return True
        try:
            catalog.pick(concept)
        except ValueError as error:
            return str(error)
        return True

    def pick(self, concept: str) -> dict[str, Any]:
        """The concept and its picture."""
        picked = catalog.pick(concept)
        png = catalog.preview(picked)
        image = host.blocked() if png is None else pictures.image(png)
        prompt = catalog.in_prompt(f"a photo of {catalog.CONCEPT}", [picked])
        return {"ui": host.shown(prompt, png, f"{picked['id']}.png"), "result": (picked, prompt, image)}


class ConceptdInfo:
    """What is known about a concept."""

    DESCRIPTION = "Says how a concept was made, what calls it in which program, and where it is installed."
    CATEGORY = "concepts"
    FUNCTION = "tell"
    RETURN_TYPES = ("STRING",)
    RETURN_NAMES = ("info",)
    OUTPUT_NODE = True

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        """The concept."""
        return {"required": {"concept": ("CONCEPT",)}}

    @classmethod
    def IS_CHANGED(cls, **_: Any) -> float:
        """It may have been installed elsewhere meanwhile."""
        return float("nan")

    def tell(self, concept: Mapping[str, Any]) -> dict[str, Any]:
        """The text, shown and returned."""
        text = _from_daemon(concept) or _from_files(concept)
        return {"ui": host.shown(text), "result": (text,)}


def _from_daemon(concept: Mapping[str, Any]) -> str | None:
    try:
        view = Daemon().concept(concept)
    except DaemonNotRunning:
        return None
    except ConceptdError as error:
        if error.status == 404:
            return None
        raise
    lines = [
        f"{view['name']} ({view['stem']}): {view['mode']}, {view['source']}, for {view['family']}",
        f"tokens: {view['tokens']}, step: {view['step']}",
        *([f"verdict: {view['verdict']}"] if view["verdict"] else []),
        f"in ComfyUI: {view['prompts']['comfyui']}",
        f"in A1111 and Forge: {view['prompts']['a1111']}",
    ]
    if view["base_nonstandard"]:
        lines.append("its base has sizes of its own: no other checkpoint can use it")
    installs = view.get("installs") or []
    lines += [f"{one['kind']}: {one['text']}" for one in installs] or ["installed nowhere"]
    return "\n".join(lines)


def _from_files(concept: Mapping[str, Any]) -> str:
    here = installed.find(concept)
    lines = [f"{concept['name']} ({concept['stem']}): {concept['mode']}"]
    if here:
        lines += [f"installed here: {here['lora']}"]
        with contextlib.suppress(DaemonNotRunning):
            lines += [f"in ComfyUI: {catalog.in_prompt(catalog.CONCEPT, [dict(concept)])}"]
    else:
        lines.append("neither in conceptd's library nor installed here")
    return "\n".join(lines)
