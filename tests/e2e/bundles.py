"""Bundles that no training made: tars of safetensors files full of zeros."""

from __future__ import annotations

import io
import json
import math
import struct
import tarfile
from pathlib import Path

Files = dict[str, bytes]


def write(path: Path, files: Files) -> Path:
    """Writes a tar."""
    with tarfile.open(path, "w") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return path


def safetensors(shapes: dict[str, list[int]], said: dict[str, str] | None = None) -> bytes:
    """A file of zeros, and what it says about itself."""
    header, end = {} if said is None else {"__metadata__": said}, 0
    for name, shape in shapes.items():
        begin, end = end, end + 2 * math.prod(shape)
        header[name] = {"dtype": "F16", "shape": shape, "data_offsets": [begin, end]}
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + bytes(end)


def foreign(lora: dict[str, list[int]], embeddings: dict[str, list[int]]) -> Files:
    """A bundle for the published SDXL that nothing is said about, named as Eden names its files."""
    return {"eden_lora.safetensors": safetensors(lora), "eden_embeddings.safetensors": safetensors(embeddings)}


QUERY = "down_blocks.1.attentions.0.transformer_blocks.0.attn1.to_q"
LORA_SHAPES = {
    f"base_model.model.unet.{QUERY}.lora_A.weight": [4, 640],
    f"base_model.model.unet.{QUERY}.lora_B.weight": [640, 4],
}
EMBEDDING_SHAPES = {"clip_l": [2, 768], "clip_g": [2, 1280]}
