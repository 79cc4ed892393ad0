"""The widgets of a training, from the schema of its request: names, defaults, ranges, choices and help stand there.

A widget that still shows its default is left out of the request: what mode, base and recipe make of it is the daemon's
decision. Where the schema has no default, the widget shows `auto`, and a number the value just below its range.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

SCHEMA = Path(__file__).parent / "concept_client" / "train_request.json"
AUTO = "auto"
YES, NO = "yes", "no"
# What sits beside the request's own fields in it.
NESTED = "parameters"


class Field:
    """A field of the request, and how it becomes a widget and back."""

    def __init__(self, name: str, schema: dict[str, Any], nested: bool) -> None:
        """`schema` is resolved: without references, without null among its types."""
        self.name = name
        self.nested = nested
        self._schema = schema
        self.choices = _choices(schema)
        self._type = schema.get("type")
        default = schema.get("x-default", schema.get("default"))
        self._default = AUTO if default is None and self.choices else default

    def widget(self) -> tuple[Any, dict[str, Any]]:
        """Type and options, as `INPUT_TYPES` wants them."""
        options: dict[str, Any] = {"tooltip": self._help()}
        if self.choices:
            choices = list(self.choices) if self._default != AUTO else [AUTO, *self.choices]
            return choices, {**options, "default": self._default}
        if self._type == "boolean":
            if self._default is None:
                return [AUTO, YES, NO], {**options, "default": AUTO}
            return "BOOLEAN", {**options, "default": self._default}
        if self._type in ("integer", "number"):
            return self._number(options)
        if self._type == "array":
            return "STRING", {**options, "default": "", "multiline": True}
        if self._type == "string":
            return "STRING", {**options, "default": self._default or ""}
        raise TypeError(f"there is no widget for `{self.name}` of train_request.json: {self._schema}")

    def _number(self, options: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        least, most = self._schema["minimum"], self._schema["maximum"]
        options.update(default=self._default, min=least, max=most)
        if self._default is None:
            unset = self._unset()
            # `auto` is for the page, which shows that word in place of the number.
            options.update(default=unset, min=unset, auto=unset)
        if self._type == "integer":
            # ComfyUI would turn a `seed` into another one after every run, and so into another training.
            return "INT", {**options, "step": self._schema.get("multipleOf", 1), "control_after_generate": False}
        return "FLOAT", {**options, "step": self._step(), "round": False}

    def _unset(self) -> int:
        """The number that stands for `auto`: below the range."""
        return 0 if self._schema["minimum"] > 0 else math.floor(self._schema["minimum"]) - 1

    def _step(self) -> float:
        if self._default:
            return 10.0 ** (math.floor(math.log10(self._default)) - 2)
        return 0.001 if self._schema["maximum"] <= 1 else 0.01

    def _help(self) -> str:
        text = self._schema.get("description", "")
        if unit := self._schema.get("x-unit"):
            text += f" In {unit}."
        for choice, meaning in self.choices.items():
            text += f"\n{choice}: {meaning}"
        if self._type in ("integer", "number") and self._default is None:
            text += f" {self._unset()} means {AUTO}."
        if self._type == "array":
            text += " One a line."
        return text

    def value(self, shown: Any) -> Any:
        """What goes into the request for what a widget shows; None if it is left to the daemon."""
        if shown is None or shown == self._default or shown in ("", AUTO):
            return None
        if self._type == "array":
            return [line.strip() for line in str(shown).splitlines() if line.strip()] or None
        if self._type == "boolean" and self._default is None:
            return shown == YES
        if self._type in ("integer", "number") and self._default is None and shown == self._unset():
            return None
        return shown


def fields() -> dict[str, Field]:
    """Every field of the request, in the order of the schema; those of `parameters` stand in its place."""
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    found = {}
    for name, described in schema["properties"].items():
        if name == NESTED:
            inner = _resolved(described, schema["$defs"])["properties"]
            found.update({key: Field(key, _resolved(value, schema["$defs"]), True) for key, value in inner.items()})
        else:
            found[name] = Field(name, _resolved(described, schema["$defs"]), False)
    return found


def request(shown: Mapping[str, Any]) -> dict[str, Any]:
    """The part of a request that widgets decide."""
    decided: dict[str, Any] = {}
    nested: dict[str, Any] = {}
    for field in fields().values():
        value = field.value(shown.get(field.name))
        if value is not None:
            (nested if field.nested else decided)[field.name] = value
    return {**decided, NESTED: nested} if nested else decided


def _resolved(schema: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    """A schema without references and without null, its own words before those of what it refers to."""
    if reference := schema.get("$ref"):
        named = _resolved(definitions[reference.rpartition("/")[2]], definitions)
        return {**named, **{key: value for key, value in schema.items() if key != "$ref"}}
    if isinstance(schema.get("type"), list):
        [kind] = [kind for kind in schema["type"] if kind != "null"]
        return {**schema, "type": kind}
    if "anyOf" in schema:
        # `auto` among numbers is what the widget shows as `auto` anyway.
        kept = [one for one in schema["anyOf"] if one.get("type") != "null" and "const" not in one]
        [only] = kept
        outer = {key: value for key, value in schema.items() if key != "anyOf"}
        return {**_resolved(only, definitions), **outer}
    return schema


def _choices(schema: dict[str, Any]) -> dict[str, str]:
    """Choices with their meanings."""
    if "enum" in schema:
        return dict.fromkeys(schema["enum"], "")
    return {one["const"]: one.get("description", "") for one in schema.get("oneOf", ())}
