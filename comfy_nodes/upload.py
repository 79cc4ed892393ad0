"""Data sets made of pictures and prompts. What was handed to the daemon once is not sent again, and never changed:
other prompts make another data set, so that two branches of a graph cannot disturb each other.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import host, pictures
from .concept_client import ConceptdError, Daemon
from .concept_client.multipart import files_of

if TYPE_CHECKING:
    from torch import Tensor

# A data set on its way through a graph: {"id": ..., "captions": {picture: prompt}, "source": Source}.
DATASET = "CONCEPT_DATASET"
Captions = Mapping[str, "str | None"]

# What this process uploaded: ids by digest.
_uploaded: dict[str, str] = {}


class Source:
    """Where pictures come from: a batch, a folder or archive, or both."""

    def __init__(self, folder: str, images: Tensor | None, masks: Tensor | None) -> None:
        """Refuses what cannot be meant."""
        if images is None and not folder.strip():
            raise ValueError("folder: connect a batch of images, or name a folder with pictures")
        if masks is not None and images is None:
            raise ValueError("masks: they belong to a batch of images, and none is connected")
        self._folder = existing(folder) if folder.strip() else None
        self._images = images
        self._masks = masks

    @contextlib.contextmanager
    def paths(self) -> Iterator[list[Path]]:
        """Files and folders that hold them, for as long as that is needed."""
        with tempfile.TemporaryDirectory(prefix="conceptd-") as temporary:
            given = [self._folder] if self._folder else []
            if self._images is not None:
                batch = Path(temporary) / "batch"
                batch.mkdir()
                pictures.write(self._images, self._masks, batch)
                given.insert(0, batch)
            yield given


def existing(folder: str) -> Path:
    """The path that somebody typed; one that is not whole begins in ComfyUI's folder for input."""
    path = host.input_folder() / Path(folder.strip().strip('"')).expanduser()
    if not path.exists():
        raise ValueError(f"folder: there is no {path} on the machine of ComfyUI")
    return path


def dataset(source: Source, captions: Captions) -> dict[str, Any]:
    """The daemon's data set of these pictures, with these prompts in place of those beside the pictures."""
    daemon = Daemon()
    with source.paths() as paths:
        key = _digest(paths, captions)
        if made := _known(daemon, key):
            return made
        made = daemon.upload(paths, idempotency_key=f"comfyui-{key}", on_progress=lambda *_: host.stop_if_interrupted())
    if captions:
        daemon.set_captions(made, captions)
        made = daemon.dataset(made)
    _uploaded[key] = made["id"]
    return made


def described(source: Source, captions: Captions, mode: str, captioner: str) -> dict[str, str | None]:
    """The prompts of these pictures, where there is none by a captioner."""
    daemon = Daemon()
    # A data set of its own: what a node made is never changed.
    with source.paths() as paths:
        key = _digest(paths, {**captions, "": f"{captioner} {mode}"})
        made = _known(daemon, key) or daemon.upload(paths, idempotency_key=f"comfyui-{key}")
    _uploaded[key] = made["id"]
    if captions:
        daemon.set_captions(made, {name: text for name, text in captions.items() if text})
    told = daemon.describe(made, mode, captioner=captioner)
    for note in told["notes"]:
        host.log.warning("%s", note)
    return {item["picture"]: item["text"] for item in told["items"]}


def _known(daemon: Daemon, key: str) -> dict[str, Any] | None:
    if key not in _uploaded:
        return None
    try:
        return dict(daemon.dataset(_uploaded[key]))
    except ConceptdError as error:
        # Another home than before.
        if error.status == 404:
            return None
        raise


def _digest(paths: list[Path], captions: Captions) -> str:
    """Of names, bytes and prompts."""
    digest = hashlib.sha256(json.dumps(captions, sort_keys=True).encode())
    for name, path in files_of(paths):
        digest.update(f"{name}\0{path.stat().st_size}\0".encode())
        with path.open("rb") as file:
            while part := file.read(1 << 20):
                digest.update(part)
    return digest.hexdigest()


def stamp(folder: str) -> str:
    """Changes when something in a folder does, by names, sizes and times."""
    digest = hashlib.sha256()
    if folder.strip():
        for name, path in files_of([existing(folder)]):
            status = path.stat()
            digest.update(f"{name}\0{status.st_size}\0{status.st_mtime_ns}\0".encode())
    return digest.hexdigest()


def lines(text: str, names: list[str]) -> dict[str, str]:
    """Prompts by picture: one line each, or one line for all. Empty lines leave a picture's prompt as it is."""
    given = text.split("\n") if text.strip() else []
    if len(given) != len(names):
        # An end of the last line begins no other.
        given = text.rstrip().split("\n") if given else []
    if len(given) == 1:
        given *= len(names)
    if given and len(given) != len(names):
        raise ValueError(
            f"captions: there are {len(given)} lines for {len(names)} pictures; give one for each, or one for all"
        )
    return {name: line.strip() for name, line in zip(names, given) if line.strip()}


def value(made: Mapping[str, Any], source: Source) -> dict[str, Any]:
    """What goes through the graph."""
    captions = {picture["name"]: picture["caption"] for picture in made["pictures"]}
    return {"id": made["id"], "captions": captions, "source": source}
