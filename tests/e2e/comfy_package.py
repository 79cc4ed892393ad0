"""Our nodes, loaded the way ComfyUI does it, among stand-ins for its modules."""

from __future__ import annotations

import importlib
import importlib.util
import itertools
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import toy
from concept_client import Daemon

ROOT = Path(__file__).parents[2]
NODES = ROOT / "comfy_nodes"
FAKES = ROOT / "tests" / "hosts" / "fakes" / "comfyui_modules"
GRAPHS = ROOT / "tests" / "hosts" / "graphs"
HOSTS_MODULES = ("folder_paths", "server", "nodes", "torch", "comfy", "comfy_execution", "aiohttp")

_loads = itertools.count()


def load(folder: Path = NODES) -> ModuleType:
    """The package, as new as after a start of ComfyUI, under a name that is no identifier."""
    name = f"{folder} {next(_loads)}".replace(".", "_x_")
    spec = importlib.util.spec_from_file_location(name, folder / "__init__.py")
    assert spec and spec.loader
    package = importlib.util.module_from_spec(spec)
    sys.modules[name] = package
    spec.loader.exec_module(package)
    return package


def part(package: ModuleType, name: str) -> Any:
    """One of its modules."""
    return importlib.import_module(f"{package.__name__}.{name}")


class Stage:
    """A ComfyUI that is not there: its folders, its modules, what it was told."""

    def __init__(self, base: Path) -> None:
        """Begins with empty folders."""
        for folder in ("models/loras", "models/embeddings", "input", "temp"):
            (base / folder).mkdir(parents=True)
        self.base = base
        self.modules = {name: importlib.import_module(name) for name in ("folder_paths", "server", "nodes")}
        self.modules["folder_paths"].base_path = str(base)
        self.server = self.modules["server"].PromptServer()
        self.management = importlib.import_module("comfy.model_management")
        self.bars = importlib.import_module("comfy.utils").shown

    def said(self) -> list[str]:
        """What nodes said while they ran."""
        return [data["text"] for event, data, _ in self.server.sent if event == "conceptd.said"]


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Stage]:
    """A ComfyUI without ComfyUI."""
    monkeypatch.syspath_prepend(str(FAKES))
    yield Stage(tmp_path / "comfyui")
    for name in [name for name in sys.modules if name.partition(".")[0] in HOSTS_MODULES]:
        del sys.modules[name]


@pytest.fixture
def package(stage: Stage, daemon: Daemon, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The nodes, which find the daemon."""
    monkeypatch.setenv("CONCEPTD_HOME", str(daemon.home))
    return load()


def pictures(package: ModuleType, folder: Path = toy.PICTURES) -> dict[str, Any]:
    """The data set of the tests, from a node."""
    (dataset, _), _ = run(package, "ConceptdDataset", folder=str(folder))
    return dataset


def run(package: ModuleType, name: str, /, **inputs: Any) -> Any:
    """Runs a node as ComfyUI does; returns its results and what it shows."""
    cls = package.NODE_CLASS_MAPPINGS[name]
    made = getattr(cls(), cls.FUNCTION)(**inputs)
    if isinstance(made, dict):
        assert len(made["result"]) == len(cls.RETURN_TYPES)
        return made["result"], made.get("ui", {})
    assert len(made) == len(cls.RETURN_TYPES)
    return made, {}


def inputs_of(cls: Any) -> dict[str, Any]:
    """Everything that a node takes, in order."""
    types = cls.INPUT_TYPES()
    return {**types.get("required", {}), **types.get("optional", {})}


def as_graph(workflow: dict[str, Any], classes: dict[str, Any]) -> dict[str, Any]:
    """A saved workflow in API format, for nodes whose class is given: values of widgets go by their place."""
    links = {link[0]: [str(link[1]), link[2]] for link in workflow["links"]}
    graph = {}
    for node in workflow["nodes"]:
        if node["type"] not in classes:
            continue
        linked = {slot["name"]: links[slot["link"]] for slot in node["inputs"] if slot.get("link") is not None}
        names = [name for name, said in inputs_of(classes[node["type"]]).items() if is_widget(said[0])]
        # One that was saved before a field came has fewer.
        assert len(node["widgets_values"] if names else []) <= len(names), node["type"]
        values = dict(zip(names, node.get("widgets_values", [])))
        graph[str(node["id"])] = {"class_type": node["type"], "inputs": {**values, **linked}}
    return graph


def is_widget(kind: Any) -> bool:
    """Whether an input is typed in, not connected."""
    return isinstance(kind, list) or kind in ("STRING", "INT", "FLOAT", "BOOLEAN")


def workflow(name: str) -> dict[str, Any]:
    """One of the workflows that ship."""
    return json.loads((NODES / "example_workflows" / f"{name}.json").read_text(encoding="utf-8"))


def graph(name: str) -> dict[str, Any]:
    """The same in API format."""
    return json.loads((GRAPHS / f"{name}.json").read_text(encoding="utf-8"))
