"""Between ComfyUI's tensors and files of pictures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import host

if TYPE_CHECKING:
    from torch import Tensor


def write(images: Tensor, masks: Tensor | None, folder: Path) -> None:
    """Writes a batch as PNG files whose names keep its order, each mask beside its picture."""
    from PIL import Image

    if masks is not None and len(masks) not in (1, len(images)):
        raise ValueError(f"masks: there are {len(masks)} for {len(images)} pictures; give one for each, or one for all")
    for index, image in enumerate(images):
        path = folder / f"{index + 1:04}.png"
        Image.fromarray(_bytes(image)).save(path)
        if masks is not None:
            mask = masks[index % len(masks)]
            # An empty mask is what ComfyUI makes for pictures without transparency, not the wish to learn nothing.
            if mask.max() > 0:
                white = Image.fromarray(_bytes(mask)).resize((image.shape[1], image.shape[0]))
                white.save(path.with_suffix(".mask.png"))


def _bytes(values: Tensor) -> Any:
    return values.clamp(0, 1).mul(255).round().byte().cpu().numpy()


def image(png: bytes) -> Tensor:
    """A PNG as a batch of one."""
    import numpy
    import torch

    return torch.from_numpy(numpy.asarray(host.opened(png)).astype(numpy.float32) / 255)[None]
