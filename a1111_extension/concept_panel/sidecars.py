"""The concepts that are installed here, read from the files beside their LoRAs."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

# What an installation writes.
FIELDS = {"id": str, "name": str, "mode": str, "stem": str, "tokens": int, "bare_name": bool, "strength": (int, float)}


class Sidecars:
    """The files `STEM_lora.json` below a folder."""

    def __init__(self) -> None:
        """Nothing is read yet."""
        self._read: dict[Path, tuple[int, dict[str, Any] | None]] = {}

    def concepts(self, folder: Path) -> list[dict[str, Any]]:
        """The installed concepts, newest first; of those that share a name the newest."""
        found = []
        for file in folder.rglob("*_lora.json"):
            lora = file.with_suffix(".safetensors")
            try:
                age = os.stat(lora).st_mtime_ns
                concept = self._concept(file)
            except OSError:
                # No LoRA, or one that goes while we look.
                continue
            if concept is not None and f"{concept['stem']}_lora" == lora.stem:
                found.append((age, concept["stem"], concept))
        newest: dict[str, dict[str, Any]] = {}
        for _, _, concept in sorted(found, key=lambda one: one[:2], reverse=True):
            newest.setdefault(concept["name"].casefold(), concept)
        return list(newest.values())

    def _concept(self, file: Path) -> dict[str, Any] | None:
        changed = os.stat(file).st_mtime_ns
        known = self._read.get(file)
        if known is None or known[0] != changed:
            known = self._read[file] = (changed, _parsed(file))
        return known[1]


def _parsed(file: Path) -> dict[str, Any] | None:
    try:
        concept = json.loads(file.read_text(encoding="utf-8"))["conceptd"]
        whole = all(isinstance(concept[key], kind) for key, kind in FIELDS.items())
    except (ValueError, TypeError, KeyError):
        # Somebody else's file, or one that was edited.
        return None
    return concept if whole else None
