"""As in PyTorch, as far as a preview needs it."""

from __future__ import annotations

from typing import Any


def from_numpy(array: Any) -> Any:
    """The array itself, which looks enough like a tensor."""
    return array
