"""How arguments of methods become paths, headers and bodies of requests."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from . import views

# A thing's id, or what the daemon said about it.
Ref = str | Mapping[str, Any]
# A concept by id or name, alone or with its strength.
Apply = str | tuple[str, float] | views.Applied | views.Concept


def id_of(thing: Ref) -> str:
    """The id of a thing."""
    return thing if isinstance(thing, str) else thing["id"]


def path_of(kind: str, thing: Ref, *rest: str) -> str:
    """The path of a thing, or of something about it."""
    return "/".join(["/v1", kind, quote(id_of(thing), safe=""), *rest])


def once(idempotency_key: str | None) -> dict[str, str]:
    """The header of a request that is carried out once, however often it is sent."""
    return {} if idempotency_key is None else {"Idempotency-Key": idempotency_key}


def given(request: Mapping[str, Any]) -> dict[str, Any]:
    """What was given; for the rest the daemon has defaults, which are not repeated here."""
    return {key: value for key, value in request.items() if value is not None}


def train_request(dataset: Ref, name: str, base: str, mode: str | None, further: Mapping[str, Any]) -> dict[str, Any]:
    """A TrainRequest."""
    further = {
        key: id_of(value) if key in ("continue_from", "recipe_from") else value for key, value in given(further).items()
    }
    return given({"dataset": id_of(dataset), "name": name, "base": base, "mode": mode, **further})


def applied(concept: Apply) -> views.Applied:
    """A concept at a strength."""
    if isinstance(concept, str):
        return {"concept": concept, "strength": 1.0}
    if isinstance(concept, Mapping):
        return {"concept": concept.get("concept") or concept["id"], "strength": concept.get("strength", 1.0)}
    name, strength = concept
    return {"concept": name, "strength": strength}
