"""As much of Gradio as the extension uses, for tests without it."""

from __future__ import annotations

from typing import Any


class Blocks:
    def __init__(self, **_: Any) -> None:
        """Takes what Gradio takes."""

    def __enter__(self) -> Blocks:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing to end."""


class HTML:
    def __init__(self, value: str) -> None:
        self.value = value


class Checkbox:
    def __init__(self, label: str, value: bool, elem_id: str) -> None:
        self.label, self.value, self.elem_id = label, value, elem_id
