"""The form of the tab, as the schema of a TrainRequest says: what each field means, its limits, its default."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import concept_client

# The few that people change; the daemon's own page has all of them.
COMMON = (
    "steps",
    "resolution",
    "batch_size",
    "lora_rank",
    "token_count",
    "learning_rate",
    "sample_every",
    "sample_prompt",
    "seed",
)


def fields() -> dict[str, Any]:
    """Modes and common parameters, in a form that needs no knowledge of JSON Schema."""
    file = Path(concept_client.__file__).parent / "train_request.json"
    schema = json.loads(file.read_text(encoding="utf-8"))
    kinds = schema["$defs"]
    parameters = kinds["Parameters"]["properties"]
    return {
        "modes": [{"value": mode["const"], "text": mode["description"]} for mode in kinds["Mode"]["oneOf"]],
        "name": schema["properties"]["name"]["description"],
        "name_length": schema["properties"]["name"]["maxLength"],
        "parameters": [_field(name, parameters[name]) for name in COMMON],
    }


def _field(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    number, auto, many = {}, False, False
    for kind in _leaves(schema):
        types = kind.get("type", [])
        types = [types] if isinstance(types, str) else types
        if "integer" in types or "number" in types:
            number = {"number": "integer" if "integer" in types else "number", **_limits({**schema, **kind})}
        auto = auto or kind.get("const") == "auto"
        many = many or "array" in types
    return {
        "name": name,
        "text": schema["description"],
        "unit": schema.get("x-unit"),
        "default": schema.get("x-default"),
        "auto": auto,
        "many": many,
        **(number or {"number": None}),
    }


def _limits(kind: dict[str, Any]) -> dict[str, Any]:
    return {"min": kind.get("minimum"), "max": kind.get("maximum"), "multiple": kind.get("multipleOf")}


def _leaves(schema: dict[str, Any]) -> list[dict[str, Any]]:
    inner = schema.get("anyOf", [])
    return [leaf for part in inner for leaf in _leaves(part)] or [schema]
