"""The ComfyUI nodes at work: with a real daemon, among stand-ins for ComfyUI's modules.

That the stand-ins are like the real ones, and that all of this works in a real ComfyUI, is what tests/hosts shows.
"""

from __future__ import annotations

import asyncio
import json
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy
import pytest
import toy
from comfy_package import FAKES, HOSTS_MODULES, Stage, load, part, run
from concept_client import Daemon
from conftest import Launch
from PIL import Image
from processes import until, workers

TRAINING = {**toy.PARAMETERS, "sample_prompt": "\n".join(toy.PARAMETERS["sample_prompt"])}
TRAINING.update(name=toy.NAME, mode=toy.MODE, base=toy.BASE, install="none")


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


def batch(count: int, size: int = 96) -> Any:
    """Pictures as ComfyUI passes them on: numbers from 0 to 1."""
    return Tensor(numpy.random.default_rng(count).random((count, size, size, 3), dtype=numpy.float32))


class Tensor(numpy.ndarray):
    """The methods of a tensor that a node uses."""

    def __new__(cls, values: Any) -> Tensor:
        return numpy.asarray(values, numpy.float32).view(cls)

    def clamp(self, low: float, high: float) -> Tensor:
        return self.clip(low, high)

    def mul(self, factor: float) -> Tensor:
        return self * factor

    def byte(self) -> Tensor:
        return self.astype(numpy.uint8)

    def cpu(self) -> Tensor:
        return self

    def numpy(self) -> numpy.ndarray:
        return numpy.asarray(self)


def pictures(package: ModuleType, folder: Path = toy.PICTURES) -> dict[str, Any]:
    """The data set of the tests, from a node."""
    (dataset, _), _ = run(package, "ConceptdDataset", folder=str(folder))
    return dataset


def jobs(daemon: Daemon) -> int:
    """Trainings ever submitted."""
    return len(list(daemon.jobs()))


# Data sets.


def test_a_folder_is_uploaded_once(package: ModuleType, daemon: Daemon, tmp_path: Path) -> None:
    before = len(list(daemon.datasets()))
    (first, report), shown = run(package, "ConceptdDataset", folder=str(toy.PICTURES))
    assert report == "6 pictures, 6 prompts, 0 masks" == shown["text"][0]
    assert pictures(package)["id"] == first["id"]
    # After a start of ComfyUI too.
    assert pictures(load())["id"] == first["id"]
    assert len(list(daemon.datasets())) == before + 1
    copy = tmp_path / "pictures"
    copy.mkdir()
    for file in toy.PICTURES.iterdir():
        (copy / file.name).write_bytes(file.read_bytes())
    assert pictures(package, copy)["id"] == first["id"]
    node = package.NODE_CLASS_MAPPINGS["ConceptdDataset"]
    stamp = node.IS_CHANGED(folder=str(copy))
    assert node.IS_CHANGED(folder=str(copy)) == stamp
    (copy / "01.txt").write_text("a photo of <concept> in the rain")
    assert node.IS_CHANGED(folder=str(copy)) != stamp
    assert pictures(package, copy)["id"] != first["id"]


def test_a_batch_keeps_its_order_its_masks_and_its_pixels(package: ModuleType, daemon: Daemon) -> None:
    masks = numpy.zeros((3, 32, 32))
    masks[1, 8:, :] = 1
    (dataset, report), _ = run(
        package, "ConceptdDataset", images=batch(3), masks=Tensor(masks), captions="one\n\na <concept>"
    )
    assert report == "3 pictures, 2 prompts, 1 masks"
    assert daemon.captions(dataset["id"]) == {"0001.png": "one", "0002.png": None, "0003.png": "a <concept>"}
    made = daemon.dataset(dataset["id"])
    assert [picture["mask"] for picture in made["pictures"]] == [False, True, False]
    assert {(picture["width"], picture["height"]) for picture in made["pictures"]} == {(96, 96)}
    [kept] = Path(daemon.home).rglob(f"{dataset['id']}/**/0001.png")
    expected = numpy.rint(numpy.asarray(batch(3))[0] * 255).astype(numpy.uint8)
    assert (numpy.asarray(Image.open(kept)) == expected).all()


def test_batch_and_folder_are_one_data_set(package: ModuleType, daemon: Daemon) -> None:
    (dataset, report), _ = run(package, "ConceptdDataset", images=batch(2), folder=str(toy.PICTURES), captions="all")
    assert report.startswith("8 pictures, 8 prompts")
    assert set(daemon.captions(dataset["id"]).values()) == {"all"}


def test_what_cannot_be_a_data_set_is_refused_by_name(package: ModuleType, tmp_path: Path) -> None:
    for said, inputs in [
        ("folder: connect a batch", {}),
        ("folder: there is no .*nowhere", {"folder": "nowhere"}),
        ("captions: there are 2 lines for 6 pictures", {"folder": str(toy.PICTURES), "captions": "a\nb"}),
        ("masks: there are 2 for 3", {"images": batch(3), "masks": Tensor(numpy.ones((2, 8, 8)))}),
        ("masks: they belong to a batch", {"folder": str(toy.PICTURES), "masks": Tensor(numpy.ones((2, 8, 8)))}),
    ]:
        with pytest.raises(ValueError, match=said):
            run(package, "ConceptdDataset", **inputs)


def test_captions_make_another_data_set_and_leave_the_first_alone(package: ModuleType, daemon: Daemon) -> None:
    first = pictures(package)
    template = "a photo of <concept>, {caption}, {file}"
    (second, text), _ = run(package, "ConceptdCaption", dataset=first, captions="red\n\n\n\n\n", template=template)
    now = list(daemon.captions(second["id"]).values())
    assert now[0] == "a photo of <concept>, red, 01" and text.splitlines() == now
    assert now[1] == f"a photo of <concept>, {first['captions']['02.png']}, 02"
    assert daemon.captions(first["id"]) == first["captions"]
    # Again, and after a start of ComfyUI: the template is put around the same prompts, not around its own.
    for nodes in (package, load()):
        (again, _), _ = run(
            nodes, "ConceptdCaption", dataset=pictures(nodes), captions="red\n\n\n\n\n", template=template
        )
        assert again["id"] == second["id"] and again["captions"] == second["captions"]
    (shown, _), _ = run(package, "ConceptdCaption", dataset=first)
    assert shown["id"] == first["id"]
    (made, text), _ = run(package, "ConceptdCaption", images=batch(2), captions="a\nb")
    assert text == "a\nb" and daemon.captions(made["id"]) == {"0001.png": "a", "0002.png": "b"}
    with pytest.raises(ValueError, match="dataset: connect either"):
        run(package, "ConceptdCaption")


# Trainings.


def test_a_training_shows_how_far_it_is_and_is_not_done_twice(
    package: ModuleType, stage: Stage, daemon: Daemon
) -> None:
    before = jobs(daemon)
    (concept, prompt, preview, job), shown = run(
        package, "ConceptdTrain", dataset=pictures(package), node="2", **TRAINING
    )
    assert concept["name"] == toy.NAME and prompt == f"a photo of embedding:{concept['stem']}_embeddings"
    assert stage.management.asked == ["unload_all_models", "soft_empty_cache"]
    steps = [value for value, total, _ in stage.bars if total == TRAINING["steps"]]
    assert steps == sorted(steps) and steps[-1] == TRAINING["steps"]
    live = [picture for _, _, picture in stage.bars if picture]
    assert len(live) >= 2 and live[0][0] == "JPEG" and live[0][1].width > 64
    assert any(text.startswith("training: 10 of 10, loss 0.") for text in stage.said())
    assert preview.shape[0] == 1 and preview.shape[3] == 3 and 0 <= preview.min() < preview.max() <= 1
    [picture] = shown["images"]
    assert (stage.base / "temp" / picture["filename"]).is_file()
    assert ("conceptd.concepts", {}, None) in stage.server.sent
    # Run again, after a start of ComfyUI, and without waiting.
    for nodes, inputs in ((package, {}), (load(), {}), (package, {"wait": False})):
        (again, _, _, same), _ = run(nodes, "ConceptdTrain", dataset=pictures(nodes), **TRAINING, **inputs)
        assert (again["id"], same) == (concept["id"], job)
    assert jobs(daemon) == before + 1
    # What was deleted is made anew.
    daemon.delete(concept["id"])
    (anew, _, _, other), _ = run(package, "ConceptdTrain", dataset=pictures(package), **TRAINING)
    assert other != job and anew["id"] != concept["id"] and jobs(daemon) == before + 2


def test_an_interrupt_cancels_within_a_second_and_does_not_stick(
    package: ModuleType, stage: Stage, daemon: Daemon
) -> None:
    long = {**TRAINING, "name": "interrupted", "steps": 5000, "sample_every": 0}
    before = jobs(daemon)
    pressed: list[float] = []

    def press() -> None:
        until(lambda: stage.bars and stage.bars[-1][0] > 0)
        pressed.append(time.monotonic())
        stage.management.interrupted = True

    presser = threading.Thread(target=press)
    presser.start()
    with pytest.raises(stage.management.InterruptProcessingException):
        run(package, "ConceptdTrain", dataset=pictures(package), **long)
    presser.join()
    assert time.monotonic() - pressed[0] < 1
    newest = next(daemon.jobs())
    until(lambda: daemon.job(newest)["state"] == "cancelled", seconds=5)
    until(lambda: not workers(daemon.process.pid), seconds=5)
    # The same node tries again when it is run again.
    (nothing, _, _, job), _ = run(package, "ConceptdTrain", dataset=pictures(package), wait=False, **long)
    assert job != newest["id"] and jobs(daemon) == before + 2
    assert type(nothing).__name__ == "ExecutionBlocker"
    daemon.cancel(job)


def test_without_waiting_the_job_comes_at_once_and_the_concept_later(package: ModuleType, daemon: Daemon) -> None:
    request = {**TRAINING, "name": "later", "wait": False}
    (nothing, _, _, job), shown = run(package, "ConceptdTrain", dataset=pictures(package), **request)
    assert type(nothing).__name__ == "ExecutionBlocker" and job in shown["text"][0]
    node = package.NODE_CLASS_MAPPINGS["ConceptdTrain"]
    # ComfyUI runs a node again whose mark is not the same as before; nan never is.
    assert node.IS_CHANGED(wait=False) != node.IS_CHANGED(wait=False)
    assert node.IS_CHANGED(wait=True) == node.IS_CHANGED(wait=True)
    daemon.wait(job)
    (concept, _, _, same), _ = run(package, "ConceptdTrain", dataset=pictures(package), **request)
    assert same == job and concept["name"] == "later"


def test_refusals_name_what_is_wrong(package: ModuleType) -> None:
    node = package.NODE_CLASS_MAPPINGS["ConceptdTrain"]
    assert node.VALIDATE_INPUTS(base=toy.BASE) is True
    assert "no checkpoint `sdxl`; it has: toyxl" in node.VALIDATE_INPUTS(base="sdxl")
    assert "no concept `nobody`" in node.VALIDATE_INPUTS(base=toy.BASE, continue_from="nobody")
    with pytest.raises(Exception, match="parameters.resolution"):
        run(package, "ConceptdTrain", dataset=pictures(package), **{**TRAINING, "resolution": 32})


# Concepts.


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
        import psutil

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
