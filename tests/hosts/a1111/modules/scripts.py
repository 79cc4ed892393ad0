"""Scripts of extensions, loaded by path with the extension's folder first on the path for modules."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

AlwaysVisible = object()


class Script:
    """What a script is made of."""

    is_img2img = False
    infotext_fields: list | None = None

    def elem_id(self, item: str) -> str:
        return f"script_{'img2img' if self.is_img2img else 'txt2img'}_{item}"


def load(extension: Path) -> list[type]:
    """The classes of scripts that an extension brings."""
    found = []
    for path in sorted((extension / "scripts").glob("*.py")):
        before = sys.path
        sys.path = [str(extension), *before]
        try:
            spec = importlib.util.spec_from_file_location(path.name, path)
            module = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(module)
        finally:
            sys.path = before
        found += [one for one in vars(module).values() if isinstance(one, type) and issubclass(one, Script)]
    return [one for one in found if one is not Script]


def always_on(classes: list[type], is_img2img: bool) -> list[Any]:
    """An instance of each script that is always there, with its controls made."""
    made = []
    for one in classes:
        script = one()
        script.is_img2img = is_img2img
        if script.show(is_img2img) is AlwaysVisible:
            script.controls = script.ui(is_img2img)
            made.append(script)
    return made
