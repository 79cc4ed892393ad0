"""The training that the tests run: six pictures on the toy base, over in seconds and the same bytes each time."""

from __future__ import annotations

import gzip
import shutil
import subprocess
import zipfile
from pathlib import Path
from typing import Any

from concept_client import Daemon

TOY = Path(__file__).parents[1] / "toy"
PICTURES = TOY / "kojii"
BASE = "toyxl"
NAME = "kojii"
MODE = "object"
PARAMETERS: dict[str, Any] = {
    "steps": 10,
    "resolution": 128,
    "batch_size": 2,
    "lora_rank": 4,
    "learning_rate": 3e-3,
    "token_learning_rate": 3e-3,
    "noise_offset": 0,
    "snr_gamma": 0,
    "random_flip": False,
    "save_every": 5,
    "sample_every": 5,
    "sample_prompt": ["a photo of <concept>"],
    "seed": 7,
}


def unpack_base(folder: Path) -> Path:
    """Writes the toy base into a folder of models."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{BASE}.safetensors"
    with gzip.open(TOY / f"{BASE}.safetensors.gz") as packed, path.open("wb") as file:
        shutil.copyfileobj(packed, file)
    return path


def zip_pictures(path: Path) -> Path:
    """Writes the pictures and their prompts into an archive."""
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(PICTURES.iterdir()):
            archive.write(file, file.name)
    return path


def train_by_command(program: Path, pictures: Path, base: Path, out: Path) -> Path:
    """Trains with the command line and returns the bundle."""
    command = [program, "train", pictures, "--name", NAME, "--mode", MODE, "--base", base, "--out", out]
    for parameter, value in PARAMETERS.items():
        for single in value if isinstance(value, list) else [value]:
            text = str(single).lower() if isinstance(single, bool) else str(single)
            command += [f"--{parameter.replace('_', '-')}", text]
    subprocess.run(command, check=True, capture_output=True)
    return out / f"{NAME}.tar"


def submit(daemon: Daemon, dataset: Any, *, key: str | None = None, name: str = NAME, **change: Any) -> dict:
    """Queues the training; `change` goes over its parameters."""
    parameters = {**PARAMETERS, **change}
    return daemon.train(dataset, name, BASE, MODE, parameters=parameters, idempotency_key=key)


def bundle_bytes(daemon: Daemon, concept: Any, folder: Path) -> bytes:
    """The bundle of a concept."""
    return daemon.bundle(concept, folder / "bundle.tar").read_bytes()
