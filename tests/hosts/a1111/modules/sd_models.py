"""The loaded model. A1111 has none before it is needed, Forge then has an object that is none."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

from . import sd_hijack
from .embeddings import EmbeddingDatabase


class FakeInitialModel:
    """What Forge has before a model is loaded."""


class Model:
    """A loaded model, on the graphics card or off it."""

    on_card = True


model_data = SimpleNamespace(sd_model=None)
moves: list[str] = []


def begin(kind: str) -> None:
    """As it is at the start."""
    model_data.sd_model = FakeInitialModel() if kind == "forge" else None


def load(kind: str, embeddings: Path, width: int) -> None:
    """Loads a model, and with it the embeddings that are there."""
    model: Any = Model()
    if kind == "forge":
        for engine in ("text_processing_engine_l", "text_processing_engine_g"):
            setattr(model, engine, SimpleNamespace(embeddings=EmbeddingDatabase(embeddings, width)))
            getattr(model, engine).embeddings.load_textual_inversion_embeddings()
    else:
        sd_hijack.model_hijack.embedding_db = EmbeddingDatabase(embeddings, width)
        sd_hijack.model_hijack.embedding_db.load_textual_inversion_embeddings()
    model_data.sd_model = model


def unload_model_weights() -> None:
    moves.append("off")
    model_data.sd_model.on_card = False


def send_model_to_device(model: Model) -> None:
    moves.append("on")
    model.on_card = True
