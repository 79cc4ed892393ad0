"""Every concept that can be picked: those of the daemon's library, or those installed here while it is away.

What travels between nodes as a `CONCEPT` is a dictionary of the form that `concept_client.prompts` takes, with the
concept's `id`, `name`, `stem` and `mode` among others.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from . import connection, host, installed
from .concept_client import ConceptdError, Daemon, DaemonNotRunning

Concept = dict[str, Any]
# What stands for a chosen concept in a prompt, whatever it is called.
CONCEPT = "<concept>"

library = connection.Recent(lambda daemon: list(daemon.concepts()))


def concepts() -> list[Concept]:
    """All of them, newest first."""
    known = library()
    return installed.concepts() if known is None else [of_view(view) for view in known]


def of_view(view: Mapping[str, Any]) -> Concept:
    """What the daemon says about a concept, as nodes pass it on."""
    kept = ("id", "name", "stem", "mode", "tokens", "bare_name")
    return {"strength": 1.0, "bare_name": False, **{key: view[key] for key in kept if key in view}}


def labels() -> list[str]:
    """What they are picked by: the names of their files, which differ where names do not."""
    return [concept["stem"] for concept in concepts()]


def pick(label: str) -> Concept:
    """The concept of a label, an id or a name; of several of a name the newest."""
    everything = concepts()
    for key in ("stem", "id", "name"):
        for concept in everything:
            if concept[key] == label:
                return concept
    raise ValueError(no_such(label))


def no_such(label: str) -> str:
    """Why a label cannot be picked."""
    known = ", ".join(labels()) or "none yet"
    text = f"there is no concept `{label}`; there are: {known}"
    return f"{text}. {connection.how_to_start()}" if library() is None else text


def preview(concept: Mapping[str, Any]) -> bytes | None:
    """A PNG of the base beside the concept, from the daemon or from beside the LoRA."""
    with contextlib.suppress(DaemonNotRunning, ConceptdError):
        return Daemon(timeout=connection.LIST_SECONDS).preview(concept)
    here = installed.find(concept)
    picture = Path(here["lora"]).with_suffix(".png") if here else None
    return picture.read_bytes() if picture and picture.is_file() else None


def in_prompt(text: str, chosen: list[Concept] | None = None) -> str:
    """A prompt as ComfyUI wants it, with chosen concepts, or with all that it calls by itself."""
    if not text.strip():
        return text
    renamed = any(here["stem"] != concept["stem"] for concept in chosen or () if (here := installed.find(concept)))
    # Only here is it known that a concept's files had to take other names than in the library.
    if not renamed:
        with contextlib.suppress(DaemonNotRunning):
            return Daemon().expand_prompt(text, "comfyui", [one["id"] for one in chosen or ()])["text"]
    from .concept_client.prompts import expand

    if chosen is None:
        return expand(text, "comfyui", installed.concepts(), chosen=False)["text"]
    return expand(text, "comfyui", [installed.find(one) or one for one in chosen], chosen=True)["text"]


def changed() -> None:
    """There are other concepts than a moment ago."""
    library.forget()
    host.announce()
