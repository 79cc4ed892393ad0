"""Our nodes in a real ComfyUI; see README.md. Skipped where none is named."""

from __future__ import annotations

import ast
import json
import os
import shutil
import struct
import subprocess
import sys
import time
from array import array
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent / "e2e"), str(HERE.parents[1] / "schemas" / "python")]

# Read before the fixtures of e2e clear such variables away.
CHECKOUT = os.environ.get("CONCEPTD_COMFYUI")
PYTHON = os.environ.get("CONCEPTD_COMFYUI_PYTHON")
SD15 = os.environ.get("CONCEPTD_SD15")

import psutil  # noqa: E402
import toy  # noqa: E402
from concept_client import Daemon  # noqa: E402
from conftest import program, toy_base  # noqa: E402, F401
from processes import until, workers  # noqa: E402
from real_comfyui import NODES, ComfyUI  # noqa: E402

pytestmark = pytest.mark.skipif(
    not (CHECKOUT and PYTHON),
    reason="CONCEPTD_COMFYUI (a checkout) and CONCEPTD_COMFYUI_PYTHON (a Python that runs it) are not set",
)

FAKES = HERE / "fakes" / "comfyui_modules"
OURS = {f"Conceptd{name}" for name in ("Dataset", "Train", "Apply", "Prompt", "Picker", "Info", "Caption")}
PARAMETERS = {**toy.PARAMETERS, "sample_prompt": "\n".join(toy.PARAMETERS["sample_prompt"])}
# In ComfyUI's messages a picture begins with one of these numbers.
PICTURE, PICTURE_WITH_METADATA = 1, 4


def frozen() -> str:
    """What is installed in ComfyUI's Python."""
    done = subprocess.run([PYTHON, "-m", "pip", "freeze"], capture_output=True, text=True, check=True)
    assert done.stdout.strip()
    return done.stdout


class Workplace:
    """ComfyUI, the daemon that its page started, and what was so before that."""

    def __init__(self, comfy: ComfyUI, home: Path, before: str) -> None:
        """Asks for a training while no daemon runs, then starts it as the button does."""
        self.comfy = comfy
        self.before = before
        self.refusal = comfy.post("/prompt", {"prompt": training("refused")})
        self.foreign = comfy.post("/conceptd/start", headers={"Origin": "http://evil.example"})
        status, self.state = comfy.post("/conceptd/start")
        assert status == 200, self.state
        self.daemon = Daemon(home)
        self.pid = json.loads((home / "daemon.json").read_text(encoding="utf-8"))["pid"]

    def jobs(self) -> int:
        """Trainings ever submitted."""
        return len(list(self.daemon.jobs()))


@pytest.fixture(scope="module")
def workplace(program: Path, toy_base: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workplace]:  # noqa: F811
    """For all tests of this file."""
    before = frozen()
    base, home = tmp_path_factory.mktemp("comfyui"), tmp_path_factory.mktemp("home") / "conceptd"
    checkpoints = base / "models" / "checkpoints"
    checkpoints.mkdir(parents=True)
    shutil.copy(toy_base, checkpoints)
    if SD15:
        (checkpoints / "sd15.safetensors").symlink_to(SD15)
    comfy = ComfyUI(
        Path(CHECKOUT or ""), Path(PYTHON or ""), base, CONCEPTD_HOME=home, CONCEPTD_PROGRAM=program, CONCEPTD_PORT=0
    )
    try:
        yield Workplace(comfy, home, before)
    finally:
        comfy.stop()
        if (home / "daemon.json").is_file():
            psutil.Process(json.loads((home / "daemon.json").read_text(encoding="utf-8"))["pid"]).terminate()


def training(name: str, **change: Any) -> dict[str, Any]:
    """A graph that trains on the toy base."""
    inputs = {"dataset": ["1", 0], "name": name, "mode": toy.MODE, "base": toy.BASE, **PARAMETERS, **change}
    return {
        "1": {"class_type": "ConceptdDataset", "inputs": {"folder": str(toy.PICTURES), "captions": ""}},
        "2": {"class_type": "ConceptdTrain", "inputs": inputs},
        "3": {"class_type": "ConceptdInfo", "inputs": {"concept": ["2", 0]}},
        "4": {"class_type": "PreviewImage", "inputs": {"images": ["2", 2]}},
    }


def test_without_the_daemon_it_says_what_to_do(workplace: Workplace) -> None:
    status, said = workplace.refusal
    assert status == 400
    assert "Press `Start conceptd` in the node" in json.dumps(said["node_errors"])
    assert workplace.foreign[0] == 403
    assert workplace.state["running"] is True
    known = workplace.comfy.get("/object_info")
    assert set(known) >= OURS
    # The daemon was started with ComfyUI's own checkpoints.
    assert toy.BASE in workplace.comfy.choices("ConceptdTrain", "base")


def test_a_training_shows_itself_and_its_concept_is_there_at_once(workplace: Workplace) -> None:
    comfy = workplace.comfy
    assert "kojii" not in comfy.choices("ConceptdPicker", "concept")
    shown = comfy.run(training("kojii"))
    assert "installed and seen by ComfyUI" in shown["2"]["text"][0]
    assert shown["2"]["images"] and shown["4"]["images"]
    steps = [said["value"] for said in comfy.heard.of("progress") if said["max"] == PARAMETERS["steps"]]
    assert steps == sorted(steps) and set(steps) >= set(range(1, PARAMETERS["steps"] + 1))
    pictures = [data for data in comfy.heard.of("binary") if data[3] in (PICTURE, PICTURE_WITH_METADATA)]
    assert pictures and all(len(data) > 1000 for data in pictures)
    texts = [said["text"] for said in comfy.heard.of("conceptd.said")]
    assert any(text.startswith("training: 10 of 10, loss") for text in texts)
    # Nothing was restarted.
    until(lambda: "kojii" in comfy.choices("ConceptdPicker", "concept"), every=0.1)
    assert "kojii_lora.safetensors" in comfy.get("/models/loras")
    assert "kojii_embeddings" in comfy.get("/embeddings")
    picked = comfy.run(
        {
            "1": {"class_type": "ConceptdPicker", "inputs": {"concept": "kojii"}},
            "2": {"class_type": "PreviewImage", "inputs": {"images": ["1", 2]}},
        }
    )
    assert picked["1"]["images"] and picked["2"]["images"]


def test_what_did_not_change_is_not_trained_again(workplace: Workplace) -> None:
    comfy = workplace.comfy
    first = comfy.run(training("once"))
    count = workplace.jobs()
    again = comfy.run(training("once"))
    assert again["2"]["text"] == first["2"]["text"] and workplace.jobs() == count
    assert {"1", "2"} <= set(comfy.heard.of("execution_cached")[-1]["nodes"])
    # ComfyUI forgets what nodes returned; then conceptd remembers.
    comfy.post("/free", {"unload_models": True, "free_memory": True})
    until(lambda: comfy.run(training("once")) and not comfy.heard.of("execution_cached")[-1]["nodes"])
    assert workplace.jobs() == count
    comfy.run(training("once", seed=8))
    assert workplace.jobs() == count + 1


def test_an_interrupt_cancels_the_training(workplace: Workplace) -> None:
    comfy, daemon = workplace.comfy, workplace.daemon
    prompt = comfy.queue(training("interrupted", steps=5000, sample_every=0))
    until(lambda: any(said["prompt_id"] == prompt and said["value"] > 0 for said in comfy.heard.of("progress")), 120)
    job = next(daemon.jobs())
    [process] = workers(workplace.pid)
    pressed = time.monotonic()
    comfy.post("/interrupt")
    until(lambda: comfy.heard.of("execution_interrupted"), every=0.005)
    heard = time.monotonic() - pressed
    until(lambda: daemon.job(job)["state"] in ("cancelling", "cancelled"), every=0.005)
    cancelled = time.monotonic() - pressed
    until(lambda: not process.is_running(), every=0.005)
    print(f"interrupt: heard {heard:.2f} s, cancelled {cancelled:.2f} s, freed {time.monotonic() - pressed:.2f} s")
    assert heard < 1 and cancelled < 1
    assert comfy.ended(prompt)["status"]["status_str"] == "error"
    # And ComfyUI goes on.
    assert comfy.run(training("kojii"))


def test_without_waiting_the_concept_comes_with_a_later_run(workplace: Workplace) -> None:
    comfy, daemon = workplace.comfy, workplace.daemon
    shown = comfy.run(training("later", wait=False, steps=40))
    job = next(daemon.jobs())
    assert job["id"] in shown["2"]["text"][0] and "3" not in shown and "4" not in shown
    daemon.wait(job)
    count = workplace.jobs()
    shown = comfy.run(training("later", wait=False, steps=40))
    assert "later (later)" in shown["3"]["text"][0] and shown["4"]["images"] and workplace.jobs() == count


def test_the_newer_interface_alone_works_too(workplace: Workplace, tmp_path: Path) -> None:
    wrapper = tmp_path / "wrapper"
    shutil.copytree(NODES, wrapper / "inner", ignore=shutil.ignore_patterns("__pycache__"))
    (wrapper / "__init__.py").write_text("from .inner import comfy_entrypoint\n", encoding="utf-8")
    comfy = ComfyUI(
        Path(CHECKOUT or ""), Path(PYTHON or ""), tmp_path / "base", nodes=wrapper, CONCEPTD_HOME=workplace.daemon.home
    )
    try:
        known, before = comfy.get("/object_info"), workplace.comfy.get("/object_info")
        for name in OURS:
            for need in ("required", "optional"):
                assert known[name]["input_order"].get(need, []) == before[name]["input_order"].get(need, []), name
            for key in ("output", "output_name", "output_node", "category", "description", "display_name"):
                assert known[name][key] == before[name][key], (name, key)
        count = workplace.jobs()
        shown = comfy.run(training("newer", install="none"))
        assert "newer (newer)" in shown["3"]["text"][0] and shown["4"]["images"]
        assert workplace.jobs() == count + 1
        status, said = comfy.post("/prompt", {"prompt": training("newer", base="nothing")})
        assert status == 400 and "no checkpoint `nothing`" in json.dumps(said)
    finally:
        comfy.stop()


@pytest.mark.skipif(not SD15, reason="CONCEPTD_SD15 (a checkpoint of the full layout) is not set")
def test_lora_and_embedding_each_change_the_picture(workplace: Workplace) -> None:
    comfy = workplace.comfy
    change = {
        **{"base": "sd15", "steps": 2, "resolution": 64, "batch_size": 1, "lora_rank": 2, "sample_every": 0},
        **{"save_every": 2, "learning_rate": 0.03, "token_learning_rate": 0.03},
    }
    comfy.run(training("zorb", **change), seconds=1800)
    latents = {
        name: latent(comfy, prompt, strength)
        for name, prompt, strength in (
            ("neither", "a photo of a dog", 0.0),
            ("lora", "a photo of a dog", 1.0),
            ("embedding", "a photo of <concept>", 0.0),
            ("both", "a photo of Zorb", 1.0),
        )
    }
    for name, values in latents.items():
        print(f"{name}: {values[:4].tolist()}")
    assert len({values.tobytes() for values in latents.values()}) == 4
    for complaint in ("lora key not loaded", "NOT LOADED", "does not exist, ignoring", "shape mismatch"):
        assert complaint not in comfy.log()


def latent(comfy: ComfyUI, prompt: str, strength: float) -> array:
    """What the graph that ships draws, before it is decoded."""
    graph = json.loads((HERE / "graphs" / "draw.json").read_text(encoding="utf-8"))
    graph["1"]["inputs"]["ckpt_name"] = "sd15.safetensors"
    graph["2"]["inputs"]["concept"] = "zorb"
    graph["3"]["inputs"].update(prompt=prompt, strength=strength, clip_strength=strength)
    graph["5"]["inputs"].update(width=64, height=64)
    graph["6"]["inputs"].update(steps=1, cfg=1.0)
    del graph["7"]
    graph["8"] = {"class_type": "SaveLatent", "inputs": {"samples": ["6", 0], "filename_prefix": "latent"}}
    [file] = comfy.run(graph, seconds=1800)["8"]["latents"]
    data = (comfy.base / "output" / file["subfolder"] / file["filename"]).read_bytes()
    [length] = struct.unpack("<Q", data[:8])
    start, end = json.loads(data[8 : 8 + length])["latent_tensor"]["data_offsets"]
    values = array("f", data[8 + length :][start:end])
    assert len(values) == 4 * 8 * 8 and any(values)
    return values


def functions(path: Path) -> dict[str, list[str]]:
    """Arguments of the functions and methods of a file; names that it takes from elsewhere have none."""
    found: dict[str, list[str]] = {}
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ImportFrom):
            found.update({alias.name: [] for alias in node.names})
        for inner in node.body if isinstance(node, ast.ClassDef) else [node]:
            if isinstance(inner, (ast.FunctionDef, ast.AsyncFunctionDef)):
                prefix = f"{node.name}." if isinstance(node, ast.ClassDef) else ""
                found[prefix + inner.name] = [argument.arg for argument in inner.args.args]
    return found


def test_the_stand_ins_are_like_the_real_modules() -> None:
    # torch and aiohttp are not ComfyUI's.
    files = [path for path in FAKES.rglob("*.py") if path.parent.name != "aiohttp" and path.name != "torch.py"]
    compared = 0
    for file in (path for path in files if functions(path)):
        real = functions(Path(CHECKOUT or "") / file.relative_to(FAKES))
        for name, arguments in functions(file).items():
            imported = not arguments or ("." in name and name.partition(".")[0] in real)
            if imported or name.startswith(("Routes.", "PromptServer.__init__")):
                continue
            assert name in real, f"{file.name}: ComfyUI has no {name}"
            assert real[name][: len(arguments)] == arguments, f"{file.name}: {name}"
            compared += 1
    assert compared >= 10


def test_the_environment_is_as_before(workplace: Workplace) -> None:
    assert frozen() == workplace.before
