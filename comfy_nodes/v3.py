"""The same nodes for ComfyUI's newer interface (V3): what their V1 classes say, in V3's words.

A ComfyUI that knows both takes V1 (`NODE_CLASS_MAPPINGS`) wherever a module has it.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any


def extension(classes: Mapping[str, type], names: Mapping[str, str]) -> Any:
    """What `comfy_entrypoint` returns."""
    from comfy_api.latest import ComfyExtension

    class Concepts(ComfyExtension):
        """All of them."""

        async def get_node_list(self) -> list[type]:
            """The nodes."""
            return [node(name, cls, names[name]) for name, cls in classes.items()]

    return Concepts()


def node(name: str, cls: Any, display_name: str) -> type:
    """A V3 class for a V1 class."""
    from comfy_api.latest import io

    class Node(io.ComfyNode):
        """Passes on to the V1 class."""

        @classmethod
        def define_schema(cls_v3) -> Any:
            """Described anew at each look: lists grow."""
            types = cls.INPUT_TYPES()
            inputs = [_input(io, key, *said) for key, said in types.get("required", {}).items()]
            inputs += [_input(io, key, *said, optional=True) for key, said in types.get("optional", {}).items()]
            outputs = getattr(cls, "RETURN_NAMES", cls.RETURN_TYPES)
            return io.Schema(
                node_id=name,
                display_name=display_name,
                category=cls.CATEGORY,
                description=cls.DESCRIPTION,
                inputs=inputs,
                outputs=[io.Custom(kind).Output(display_name=shown) for kind, shown in zip(cls.RETURN_TYPES, outputs)],
                hidden=[io.Hidden.unique_id],
                is_output_node=getattr(cls, "OUTPUT_NODE", False),
            )

        @classmethod
        def execute(cls_v3, **given: Any) -> Any:
            """Runs the V1 method."""
            if "hidden" in cls.INPUT_TYPES():
                given["node"] = cls_v3.hidden.unique_id
            made = getattr(cls(), cls.FUNCTION)(**given)
            if isinstance(made, dict):
                return io.NodeOutput(*made["result"], ui=made.get("ui"))
            return io.NodeOutput(*made)

    if hasattr(cls, "IS_CHANGED"):
        Node.fingerprint_inputs = classmethod(lambda cls_v3, **given: cls.IS_CHANGED(**given))
    if hasattr(cls, "VALIDATE_INPUTS"):
        Node.validate_inputs = classmethod(_validator(cls))
    Node.__name__ = Node.__qualname__ = name
    return Node


def _validator(cls: Any) -> Any:
    """ComfyUI gives it every input, and then checks none by itself; conceptd does."""
    wanted = inspect.signature(cls.VALIDATE_INPUTS).parameters

    def validate(cls_v3: Any, **given: Any) -> Any:
        return cls.VALIDATE_INPUTS(**{name: value for name, value in given.items() if name in wanted})

    return validate


def _input(io: Any, key: str, kind: Any, options: Mapping[str, Any] | None = None, optional: bool = False) -> Any:
    extra = dict(options or {})
    tooltip = extra.pop("tooltip", None)
    if isinstance(kind, list):
        choices = io.Combo.Input(
            key, options=kind, tooltip=tooltip, optional=optional, default=extra.pop("default", None)
        )
        choices.extra_dict = extra
        return choices
    return io.Custom(kind).Input(key, tooltip=tooltip, optional=optional, extra_dict=extra)
