"""The ComfyUI nodes that draw, and what the page asks: with a real daemon, among stand-ins for ComfyUI's modules."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import psutil
import pytest
import toy
from comfy_package import Stage, load, package, part, pictures, run, stage  # noqa: F401
from concept_client import Daemon
from conftest import Launch
from processes import until


def test_the_list_grows_without_a_restart(package: ModuleType, stage: Stage, daemon: Daemon) -> None:
    picker = package.NODE_CLASS_MAPPINGS["ConceptdPicker"]
    name = "new in the list"
    assert "new-in-the-list" not in picker.INPUT_TYPES()["required"]["concept"][0]
    job = toy.submit(daemon, pictures(package)["id"], name=name)
    made = daemon.wait(job)
    choices = until(lambda: next(iter(picker.INPUT_TYPES()["required"]["concept"][0]), ""), every=0.1)
    until(lambda: made["stem"] in picker.INPUT_TYPES()["required"]["concept"][0], every=0.1)
    assert choices
    assert picker.VALIDATE_INPUTS(concept=made["stem"]) is True
    assert f"no concept `nobody`; there are: {made['stem']}" in picker.VALIDATE_INPUTS(concept="nobody")
    (concept, prompt, preview), shown = run(package, "ConceptdPicker", concept=made["stem"])
    assert concept["id"] == made["id"] and f"embedding:{made['stem']}_embeddings" in prompt
    assert preview.ndim == 4 and shown["images"]
    (info,), _ = run(package, "ConceptdInfo", concept=concept)
    assert f"embedding:{made['stem']}_embeddings" in info and "installed nowhere" in info
    (text,), _ = run(package, "ConceptdPrompt", text=f"<{name}> surfing", concept=concept)
    assert text == f"embedding:{made['stem']}_embeddings surfing"


class Model:
    """What ComfyUI passes on as MODEL and CLIP."""

    def __init__(self, layers: list[str], patches: tuple = ()) -> None:
        self.layers = layers
        self.patches = patches
        self.model = self.cond_stage_model = self

    def patched(self, lora: dict, strength: float) -> Model:
        return Model(self.layers, (*self.patches, (tuple(sorted(lora)), strength)))


def trained(daemon: Daemon, package: ModuleType, name: str) -> dict[str, Any]:
    """A concept of the library."""
    return daemon.wait(toy.submit(daemon, pictures(package)["id"], name=name))


def test_applying_installs_loads_and_calls(package: ModuleType, stage: Stage, daemon: Daemon) -> None:
    one, two = trained(daemon, package, "Zorbo"), trained(daemon, package, "Quixi")
    picked = [run(package, "ConceptdPicker", concept=made["stem"])[0][0] for made in (one, two)]
    everything = Model([])
    # Installed where ComfyUI looks, as a pair, by the daemon.
    with pytest.raises(ValueError, match="Zorbo was trained for another kind of checkpoint"):
        run(package, "ConceptdApply", model=everything, clip=everything, prompt="", concept=picked[0], strength=1.0)
    loras = stage.base / "models" / "loras"
    names = json.loads((loras / f"{one['stem']}_lora.json").read_text(encoding="utf-8"))
    assert names["conceptd"]["id"] == one["id"]
    assert (stage.base / "models" / "embeddings" / f"{one['stem']}_embeddings.safetensors").is_file()
    load_file = sys.modules["comfy.utils"].load_torch_file
    layers = [name[: -len(".alpha")] for name in load_file(str(loras / f"{one['stem']}_lora.safetensors"), True)]
    model = clip = Model(layers)
    prompt = "Zorbo beside Quixi"
    for concept, strength in zip(picked, (0.8, 0.5)):
        (model, clip, conditioning, prompt), _ = run(
            package,
            "ConceptdApply",
            model=model,
            clip=clip,
            prompt=prompt,
            concept=concept,
            strength=strength,
            clip_strength=strength / 2,
        )
    assert prompt == f"embedding:{one['stem']}_embeddings beside embedding:{two['stem']}_embeddings"
    assert [strength for _, strength in model.patches] == [0.8, 0.5]
    assert conditioning == [prompt, clip.patches] and [strength for _, strength in clip.patches] == [0.4, 0.25]


def test_without_the_daemon_what_is_installed_goes_on(
    package: ModuleType, stage: Stage, daemon: Daemon, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    made = trained(daemon, package, "Orphan")
    part(package, "installed").ensure(made)
    monkeypatch.setenv("CONCEPTD_HOME", str(tmp_path / "nowhere"))
    alone = load()
    assert alone.NODE_CLASS_MAPPINGS["ConceptdPicker"].INPUT_TYPES()["required"]["concept"][0] == [made["stem"]]
    (concept, prompt, preview), _ = run(alone, "ConceptdPicker", concept=made["stem"])
    assert prompt == f"a photo of embedding:{made['stem']}_embeddings" and preview.ndim == 4
    model = Model(["lora_unet_x"])
    monkeypatch.setattr(part(alone, "apply"), "refuse_misfit", lambda *_: None)
    (_, _, _, text), _ = run(
        alone, "ConceptdApply", model=model, clip=model, prompt="an orphan", concept=concept, strength=1.0
    )
    assert text == f"an embedding:{made['stem']}_embeddings"
    (text,), _ = run(alone, "ConceptdPrompt", text="<Orphan> asleep")
    assert text == f"embedding:{made['stem']}_embeddings asleep"
    (info,), _ = run(alone, "ConceptdInfo", concept=concept)
    assert str(stage.base) in info


def test_without_the_daemon_nodes_say_how_to_start_it(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("CONCEPTD_HOME", str(tmp_path / "nowhere"))
    package = load()
    how = r"conceptd is not running \(its home is .*nowhere\)\. Press `Start conceptd`.*conceptd serve"
    with pytest.raises(RuntimeError, match=how):
        run(package, "ConceptdDataset", folder=str(toy.PICTURES))
    train = package.NODE_CLASS_MAPPINGS["ConceptdTrain"]
    assert "Press `Start conceptd`" in train.VALIDATE_INPUTS(base="sdxl")
    assert train.INPUT_TYPES()["required"]["base"][0] == []
    assert "Press `Start conceptd`" in package.NODE_CLASS_MAPPINGS["ConceptdPicker"].VALIDATE_INPUTS(concept="x")


# What the page asks.


class Request:
    """A request of a page."""

    def __init__(self, query: dict[str, str] | None = None, **headers: str) -> None:
        self.query = query or {}
        self.headers = {"Host": "127.0.0.1:8188", **{key.replace("_", "-"): value for key, value in headers.items()}}


def ask(stage: Stage, method: str, path: str, request: Request) -> tuple[int, Any]:
    """Status and content of an answer."""
    answer = asyncio.run(stage.server.routes.handlers[method, f"/conceptd/{path}"](request))
    content = json.loads(answer.body) if answer.content_type == "application/json" else answer.body
    return answer.status, content


def test_the_page_can_start_the_daemon_and_other_pages_cannot(
    stage: Stage, program: Path, launch: Launch, toy_base: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    monkeypatch.setenv("CONCEPTD_HOME", str(home))
    monkeypatch.setenv("CONCEPTD_PORT", "0")
    monkeypatch.setenv("CONCEPTD_PROGRAM", str(program))
    checkpoints = stage.base / "models" / "checkpoints"
    checkpoints.mkdir()
    (checkpoints / "mine.safetensors").write_bytes(toy_base.read_bytes())
    package = load()
    assert ask(stage, "GET", "state", Request()) == (
        200,
        {"running": False, "program": True, "how": part(package, "connection").how_to_start()},
    )
    for foreign in (
        Request(Origin="http://evil.example"),
        Request(Origin="http://127.0.0.1:9999"),
        Request(Origin="null"),
        Request(Sec_Fetch_Site="cross-site"),
        Request(Sec_Fetch_Site="same-site", Origin="http://127.0.0.1:8188"),
    ):
        assert ask(stage, "POST", "start", foreign)[0] == 403
    assert not Daemon(home).is_running()
    try:
        own = Request(Origin="http://127.0.0.1:8188", Sec_Fetch_Site="same-origin")
        status, state = ask(stage, "POST", "start", own)
        assert status == 200 and state["running"]
        # It trains on what ComfyUI draws with.
        assert package.NODE_CLASS_MAPPINGS["ConceptdTrain"].INPUT_TYPES()["required"]["base"][0] == ["mine"]
    finally:
        said = home / "daemon.json"
        if said.is_file():
            psutil.Process(json.loads(said.read_text(encoding="utf-8"))["pid"]).terminate()
    monkeypatch.setenv("CONCEPTD_PROGRAM", str(tmp_path / "no-such-program"))
    monkeypatch.setenv("CONCEPTD_HOME", str(tmp_path / "other"))
    status, said = ask(stage, "POST", "start", Request())
    assert status == 503 and "no-such-program" in said["error"]


def test_the_page_gets_lists_and_pictures(package: ModuleType, stage: Stage, daemon: Daemon) -> None:
    made = trained(daemon, package, "pictured")
    until(lambda: made["stem"] in ask(stage, "GET", "concepts", Request())[1], every=0.1)
    status, png = ask(stage, "GET", "preview", Request({"concept": made["stem"]}))
    assert status == 200 and png == daemon.preview(made)
    status, said = ask(stage, "GET", "preview", Request({"concept": "nobody"}))
    assert status == 404 and "nobody" in said["error"]
