"""The ComfyUI nodes by themselves: what they import, what their widgets are, what ships with them."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from comfy_package import NODES, as_graph, graph, inputs_of, load, part, workflow
from conftest import ROOT

CLIENT = ROOT / "schemas" / "python" / "concept_client"
# What ComfyUI always has; imported where it is needed, never at the top.
COMFYUI = {"comfy", "comfy_api", "comfy_execution", "folder_paths", "nodes", "server"}
COMFYUI |= {"torch", "numpy", "PIL", "aiohttp"}
NAMES = {"Dataset", "Train", "Apply", "Prompt", "Picker", "Info", "Caption"}


@pytest.fixture(autouse=True)
def nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No daemon runs for this home."""
    monkeypatch.setenv("CONCEPTD_HOME", str(tmp_path / "nowhere"))


def test_importing_needs_neither_comfyui_nor_the_daemon(tmp_path: Path) -> None:
    code = f"""
import importlib.util, sys
spec = importlib.util.spec_from_file_location("x", {str(NODES / "__init__.py")!r})
package = sys.modules["x"] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(package)
for cls in package.NODE_CLASS_MAPPINGS.values():
    cls.INPUT_TYPES()
print(sorted(set(sys.modules) & {COMFYUI!r}))
"""
    done = subprocess.run([sys.executable, "-I", "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stdout.strip()) == (0, "[]"), done.stderr


def test_it_needs_the_standard_library_alone() -> None:
    for file in NODES.glob("*.py"):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        guarded = {
            line
            for node in ast.walk(tree)
            if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
            for line in range(node.lineno, (node.end_lineno or node.lineno) + 1)
        }
        for node in ast.walk(tree):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and not node.level:
                names = [node.module or ""]
            for name in names:
                top = name.partition(".")[0]
                inside = node.col_offset > 0 or node.lineno in guarded
                assert top in sys.stdlib_module_names or (inside and top in COMFYUI), f"{file.name} imports {name}"


def test_the_client_is_the_one_of_the_repository() -> None:
    ours = NODES / "concept_client"
    assert (ours / "train_request.json").read_bytes() == (ROOT / "schemas" / "train_request.json").read_bytes()
    files = {path.name for path in CLIENT.glob("*.py")}
    assert files == {path.name for path in ours.glob("*.py")}
    for name in files:
        assert (ours / name).read_bytes() == (CLIENT / name).read_bytes(), name


def test_every_node_is_described() -> None:
    package = load()
    assert set(package.NODE_CLASS_MAPPINGS) == {f"Conceptd{name}" for name in NAMES}
    assert set(package.NODE_DISPLAY_NAME_MAPPINGS) == set(package.NODE_CLASS_MAPPINGS)
    assert (NODES / package.WEB_DIRECTORY / "conceptd.js").is_file()
    for name, cls in package.NODE_CLASS_MAPPINGS.items():
        assert cls.CATEGORY == "concepts" and cls.DESCRIPTION, name
        assert callable(getattr(cls, cls.FUNCTION))
        assert len(getattr(cls, "RETURN_NAMES", cls.RETURN_TYPES)) == len(cls.RETURN_TYPES)


def test_every_field_of_the_schema_is_a_widget_and_comes_back() -> None:
    package = load()
    widgets = part(package, "widgets")
    shown = inputs_of(package.NODE_CLASS_MAPPINGS["ConceptdTrain"])
    schema = json.loads(widgets.SCHEMA.read_text(encoding="utf-8"))
    parameters = schema["$defs"]["Parameters"]["properties"]
    assert set(shown) >= set(parameters) | (set(schema["properties"]) - {"parameters"})
    changed = {}
    for name, described in parameters.items():
        kind, options = shown[name]
        assert options["tooltip"].startswith(described["description"].split("\n")[0]), name
        if "x-default" in described:
            assert options["default"] == described["x-default"], name
        limits = [described, *described.get("anyOf", [{}])[0].get("anyOf", [])]
        for bound in ("minimum", "maximum"):
            [said] = {one[bound] for one in limits if bound in one} or {None}
            if said is not None and "auto" not in options:
                assert options[bound[:3]] == said, name
        if isinstance(kind, list):
            changed[name] = next(choice for choice in kind if choice != options["default"])
        elif kind == "BOOLEAN":
            changed[name] = not options["default"]
        elif kind == "STRING":
            changed[name] = "a fox\na cat" if options.get("multiline") else "fox"
        else:
            changed[name] = options["max"]
    defaults = {name: said[1].get("default") for name, said in shown.items() if name in parameters}
    assert widgets.request(defaults) == {}
    expected = {**changed, "sample_prompt": ["a fox", "a cat"]}
    assert widgets.request(changed) == {"parameters": expected}


def test_a_saved_seed_stays() -> None:
    # ComfyUI would give it a control that changes it after every run.
    shown = inputs_of(load().NODE_CLASS_MAPPINGS["ConceptdTrain"])
    assert shown["seed"][1]["control_after_generate"] is False


def test_fields_are_appended_never_inserted() -> None:
    package = load()
    train = part(package, "train")
    shown = [name for name in inputs_of(package.NODE_CLASS_MAPPINGS["ConceptdTrain"]) if name != "dataset"]
    assert set(shown) <= set(train.ORDER), f"append to ORDER in train.py: {set(shown) - set(train.ORDER)}"
    assert shown == [name for name in train.ORDER if name in shown]
    # As ComfyUI's page saves them; a workflow of today must mean the same tomorrow.
    saved = next(node for node in workflow("train")["nodes"] if node["type"] == "ConceptdTrain")
    slots = [slot["name"] for slot in saved["inputs"] if "widget" in slot]
    assert shown[: len(slots)] == slots == list(train.ORDER[: len(slots)])


@pytest.mark.parametrize("name", ["train", "draw"])
def test_workflows_say_the_same_as_the_graphs_that_tests_run(name: str) -> None:
    classes = load().NODE_CLASS_MAPPINGS
    twin = graph(name)
    for id, node in as_graph(workflow(name), classes).items():
        assert node["class_type"] == twin[id]["class_type"]
        for key, value in twin[id]["inputs"].items():
            assert node["inputs"][key] == value, (id, key)
        # What the graph leaves to the node is at its default in the workflow.
        shown = inputs_of(classes[node["class_type"]])
        for key in set(node["inputs"]) - set(twin[id]["inputs"]):
            assert node["inputs"][key] == shown[key][1].get("default"), (id, key)
    assert {node["type"] for node in workflow(name)["nodes"]} - {"Note"} == {
        node["class_type"] for node in twin.values()
    }


def test_the_registry_can_read_it() -> None:
    described = tomllib.loads((NODES / "pyproject.toml").read_text(encoding="utf-8"))
    project = described["project"]
    assert project["name"] and project["version"] == "0.1.0" and project["dependencies"] == []
    assert project["license"]["text"] and project["urls"]["Repository"].startswith("https://")
    assert described["tool"]["comfy"]["DisplayName"]
