"""As in ComfyUI: its own nodes."""

from __future__ import annotations

from typing import Any


class CLIPTextEncode:
    """Encodes a text."""

    def encode(self, clip: Any, text: str) -> tuple[Any]:
        """The conditioning."""
        return ([text, clip.patches],)
