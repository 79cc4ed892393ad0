"""A daemon beside a graphics card: an emulated one, which `cargo xtask test` builds."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
import toy
from conftest import Launch
from PIL import Image

# What a process needs in its environment to find it.
EMULATED = json.loads(os.environ.get("EMULATED_GPU", "{}"))
pytestmark = pytest.mark.skipif(not EMULATED, reason="no emulated GPU: run by `cargo xtask test` on Linux")


@pytest.fixture(autouse=True)
def card(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in EMULATED.items():
        monkeypatch.setenv(name, value)


def test_the_daemon_plans_for_its_card(launch: Launch, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = {"name": toy.NAME, "mode": toy.MODE, "base": toy.BASE, "parameters": toy.PARAMETERS}
    daemon = launch()
    assert daemon.version()["device"] == "cuda"
    on_card = daemon.plan(**asked, dataset=daemon.upload(toy.PICTURES)["id"])
    assert "memory_short" not in [warning["code"] for warning in on_card["warnings"]]

    monkeypatch.setenv("CONCEPTD_DEVICE", "cpu")
    daemon = launch()
    assert daemon.version()["device"] == "cpu"
    on_processor = daemon.plan(**asked, dataset=daemon.upload(toy.PICTURES)["id"])
    assert on_card["memory_bytes"] < on_processor["memory_bytes"], "halves"


def test_a_card_that_is_too_small_is_said_before_a_job_is_queued(launch: Launch, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EMULATED_MEMORY_MIB", "1024")
    daemon = launch()
    parameters = toy.PARAMETERS | {"resolution": 1024}
    dataset = daemon.upload(toy.PICTURES)["id"]
    plan = daemon.plan(name=toy.NAME, mode=toy.MODE, base=toy.BASE, dataset=dataset, parameters=parameters)
    (warning,) = [warning for warning in plan["warnings"] if warning["code"] == "memory_short"]
    assert "on the graphics card" in warning["text"]


def test_a_picture_is_drawn_on_the_card_as_on_the_processor(
    program: Path, toy_base: Path, reference: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "kojii.tar").write_bytes(reference)

    def draw(device: str) -> subprocess.CompletedProcess[str]:
        command: list[str | Path] = [program, "create", "a photo of kojii", "--base", toy_base, "--device", device]
        command += ["--concept", tmp_path / "kojii.tar", "--out", tmp_path / f"{device}.png"]
        size = ["--width", "64", "--height", "64", "--steps", "2"]
        return subprocess.run([*command, *size], capture_output=True, text=True)

    for device in ("cuda", "cpu"):
        assert draw(device).returncode == 0
    on_card, on_processor = (np.asarray(Image.open(tmp_path / f"{device}.png"), float) for device in ("cuda", "cpu"))
    assert on_processor.std() > 10, "a picture, not a grey field"
    assert np.abs(on_card - on_processor).mean() < 8, "halves round; another picture is off by 60"

    monkeypatch.setenv("EMULATED_MEMORY_MIB", "420")
    refused = draw("cuda")
    assert refused.returncode == 1
    assert "too little memory: even with the base in 4 bits drawing takes about" in refused.stderr
