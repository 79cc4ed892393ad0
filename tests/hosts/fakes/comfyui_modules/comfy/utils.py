"""Progress bars and files of weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import comfy.model_management

# What bars were told: value, total, picture.
shown: list[tuple[int, int, Any]] = []


class ProgressBar:
    """The bar of a node. Its hook stops a run that was interrupted."""

    def __init__(self, total: int, node_id: str | None = None) -> None:
        """Begins at nothing."""
        self.total = total
        self.node_id = node_id

    def update_absolute(self, value: int, total: int | None = None, preview: Any = None) -> None:
        """Shows how far it is, and a picture."""
        comfy.model_management.throw_exception_if_processing_interrupted()
        shown.append((value, total or self.total, preview))


def load_torch_file(ckpt: str, safe_load: bool = False) -> dict[str, Any]:
    """Names of a file's tensors, here without values."""
    import json

    assert safe_load
    data = Path(ckpt).read_bytes()
    names = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    return dict.fromkeys(name for name in names if name != "__metadata__")
