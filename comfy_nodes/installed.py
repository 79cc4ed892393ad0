"""Concepts in this ComfyUI: what lies in its folders, and how more of them get there."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from . import host
from .concept_client import ConceptdError, Daemon

# The end of the names of the files of a concept (`xander_lora.safetensors`).
LORA = "_lora"


def concepts() -> list[dict[str, Any]]:
    """Every installed concept as the description beside its LoRA says, newest first."""
    found = sorted(_descriptions(), key=lambda one: one[0], reverse=True)
    return [said for _, said in found]


def _descriptions() -> Iterator[tuple[float, dict[str, Any]]]:
    for folder in host.folders("loras"):
        for path in folder.glob(f"*{LORA}.json"):
            try:
                said = json.loads(path.read_text(encoding="utf-8"))["conceptd"]
                lora = path.with_suffix(".safetensors")
                yield lora.stat().st_mtime, {**said, "lora": str(lora)}
            except (OSError, ValueError, KeyError, TypeError) as error:
                # Not ours, or being uninstalled just now.
                host.log.debug("%s: %s", path, error)


def find(concept: Mapping[str, Any]) -> dict[str, Any] | None:
    """How a concept is installed here; None if it is not."""
    return next((one for one in concepts() if one["id"] == concept["id"]), None)


def this_host(daemon: Daemon) -> str:
    """The id under which the daemon knows this ComfyUI; it is made known if it is not."""
    loras, embeddings = host.folder("loras"), host.folder("embeddings")
    for known in daemon.hosts():
        if known["kind"] == "comfyui" and _same(known["loras"], loras) and _same(known["embeddings"], embeddings):
            return known["id"]
    return daemon.add_host("comfyui", host.base_folder(), loras, embeddings, host.url())["id"]


def _same(one: str, other: Path | None) -> bool:
    return other is not None and os.path.normcase(os.path.realpath(one)) == os.path.normcase(os.path.realpath(other))


def ensure(concept: Mapping[str, Any]) -> dict[str, Any]:
    """How a concept is installed here; installs it if it is not."""
    if here := find(concept):
        return here
    daemon = Daemon()
    [install] = daemon.install(concept, [this_host(daemon)])
    here = find(concept)
    if here is None:
        raise ConceptdError(409, "install", f"{concept['name']} is not installed here: {install['text']}")
    return here
