"""The ComfyUI nodes that learn: with a real daemon, among stand-ins for ComfyUI's modules.

That the stand-ins are like the real ones, and that all of this works in a real ComfyUI, is what tests/hosts shows.
"""

from __future__ import annotations

import subprocess
import threading
import time
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy
import pytest
import toy
from comfy_package import Stage, load, package, pictures, run, stage  # noqa: F401
from concept_client import Daemon
from PIL import Image
from processes import until, workers

TRAINING = {**toy.PARAMETERS, "sample_prompt": "\n".join(toy.PARAMETERS["sample_prompt"])}
TRAINING.update(name=toy.NAME, mode=toy.MODE, base=toy.BASE, install="none")


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


def test_a_captioner_describes_what_has_no_prompt(
    package: ModuleType, daemon: Daemon, program: Path, tmp_path: Path
) -> None:
    def models(*arguments: Any) -> None:
        subprocess.run([program, "models", *arguments, "--home", daemon.home], check=True, capture_output=True)

    for picture in toy.PICTURES.glob("*.png"):
        (tmp_path / picture.name).write_bytes(picture.read_bytes())
    bare = pictures(package, tmp_path)
    models("add", toy.TOY / "tagger")
    try:
        given = {"dataset": bare, "captioner": "auto", "mode": "object", "captions": "mine\n\n\n\n\n"}
        (made, text), _ = run(package, "ConceptdCaption", **given)
        assert text.splitlines()[0] == "mine" and "brick wall" in text.splitlines()[1]
        assert daemon.captions(made["id"]) == made["captions"]
        assert set(daemon.captions(bare["id"]).values()) == {None}, "what a node made is never changed"
        (again, _), _ = run(package, "ConceptdCaption", **given)
        assert again["id"] == made["id"]
    finally:
        models("remove", "tagger")


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
    with pytest.raises(ValueError, match="there is no concept `nobody`"):
        run(package, "ConceptdTrain", dataset=pictures(package), **TRAINING, continue_from="nobody")
    with pytest.raises(Exception, match="parameters.resolution"):
        run(package, "ConceptdTrain", dataset=pictures(package), **{**TRAINING, "resolution": 32})
