"""ComfyUI's nodes for conceptd: train a face, an object or a style, and draw with it.

Nothing here needs the daemon, or ComfyUI itself, to be imported.
"""

from __future__ import annotations

from typing import Any

from . import routes
from .apply import ConceptdApply, ConceptdPrompt
from .dataset import ConceptdCaption, ConceptdDataset
from .library import ConceptdInfo, ConceptdPicker
from .train import ConceptdTrain

NODE_CLASS_MAPPINGS = {
    cls.__name__: cls
    for cls in (
        ConceptdDataset,
        ConceptdCaption,
        ConceptdTrain,
        ConceptdPicker,
        ConceptdApply,
        ConceptdPrompt,
        ConceptdInfo,
    )
}
NODE_DISPLAY_NAME_MAPPINGS = {
    "ConceptdDataset": "Concept Dataset",
    "ConceptdCaption": "Caption Images",
    "ConceptdTrain": "Train Concept",
    "ConceptdPicker": "Concept Picker",
    "ConceptdApply": "Apply Concept",
    "ConceptdPrompt": "Concept Prompt",
    "ConceptdInfo": "Concept Info",
}
WEB_DIRECTORY = "./web"


async def comfy_entrypoint() -> Any:
    """The same nodes for a ComfyUI that knows the newer interface alone."""
    from . import v3

    return v3.extension(NODE_CLASS_MAPPINGS, NODE_DISPLAY_NAME_MAPPINGS)


routes.register()

__all__ = ["NODE_CLASS_MAPPINGS", "NODE_DISPLAY_NAME_MAPPINGS", "WEB_DIRECTORY", "comfy_entrypoint"]
