"""A concept of a base with full layout in Forge's own loaders: no LoRA key is left over, and the embedding is found.

CONCEPTD_FORGE names a checkout of Forge, CONCEPTD_TORCH a Python with torch, CONCEPTD_FULL_BASE a checkpoint of full
layout; tests/hosts/A1111.md says how to get them.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
import toy
import webui

# Read now: the variables are taken away before tests run.
FORGE, TORCH, BASE = (os.environ.get(f"CONCEPTD_{name}") for name in ("FORGE", "TORCH", "FULL_BASE"))
# Every layer that can have a LoRA, in one small step.
FLAGS = ["--lora-targets", "all", "--lora-text-encoder", "true", "--lora-rank", "2"]
FLAGS += ["--steps", "1", "--resolution", "64", "--batch-size", "1", "--no-samples"]


@pytest.mark.skipif(
    not (FORGE and TORCH and BASE), reason="CONCEPTD_FORGE, CONCEPTD_TORCH, CONCEPTD_FULL_BASE are not set"
)
def test_forge_loads_a_concept(program: Path, tmp_path: Path) -> None:
    out, embeddings = tmp_path / "out", tmp_path / "embeddings"
    command = [program, "train", toy.PICTURES, "--name", "kojii", "--mode", "object", "--base", BASE, "--out", out]
    subprocess.run([*command, *FLAGS], check=True, capture_output=True)
    embeddings.mkdir()
    shutil.copy(out / "kojii_embeddings.safetensors", embeddings)
    script = webui.STANDIN.with_name("forge_loaders.py")
    prompt = "a photo of kojii_embeddings on a beach, (kojii_embeddings:1.2)"
    arguments = [TORCH, str(script), FORGE, BASE, str(out / "kojii_lora.safetensors"), str(embeddings), prompt]
    answer = subprocess.run(arguments, capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stderr
    said = json.loads(answer.stdout.splitlines()[-1])
    assert said["unmatched"] == []
    # Down, up and alpha of each.
    assert said["unet"] > 200 and said["clip"] >= 48
    assert said["tensors"] == 3 * (said["unet"] + said["clip"])
    assert said["changed"] == said["unet"]
    assert said["loaded"] == ["kojii_embeddings"] and said["skipped"] == []
    assert said["found"] == [["kojii_embeddings", 3]] * 2
