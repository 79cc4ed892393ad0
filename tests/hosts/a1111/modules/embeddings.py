"""Embeddings that a text encoder knows, with the width that it wants."""

from __future__ import annotations

import json
import struct
from pathlib import Path


class EmbeddingDatabase:
    """Embeddings by name; those of another width are skipped."""

    def __init__(self, folder: Path, width: int) -> None:
        self.word_embeddings: dict[str, int] = {}
        self.skipped_embeddings: dict[str, int] = {}
        self._folder, self._width = folder, width

    def load_from_file(self, path: str, filename: str) -> None:
        name, suffix = filename.rsplit(".", 1)
        if suffix == "safetensors":
            width = _width(Path(path))
            (self.word_embeddings if width == self._width else self.skipped_embeddings)[name] = width

    def load_textual_inversion_embeddings(self, force_reload: bool = True) -> None:
        self.word_embeddings.clear()
        self.skipped_embeddings.clear()
        for path in sorted(self._folder.iterdir()):
            self.load_from_file(str(path), path.name)


def _width(path: Path) -> int:
    with path.open("rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(length))
    return sum(tensor["shape"][-1] for key, tensor in header.items() if key != "__metadata__")
