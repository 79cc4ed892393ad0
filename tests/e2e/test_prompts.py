"""Prompts: the table against the Python mirror, the mirror against the daemon, and what decides about bare names."""

from __future__ import annotations

import json
import random
import subprocess
from pathlib import Path
from typing import Any

import pytest
from bundles import EMBEDDING_SHAPES, LORA_SHAPES, foreign, write, safetensors
from concept_client import Daemon
from concept_client.names import folded
from concept_client.prompts import expand
from raw import send_json

PROMPTS = Path(__file__).parents[1] / "prompts"
TABLE = json.loads((PROMPTS / "cases.json").read_text(encoding="utf-8"))
PIECES = json.loads((PROMPTS / "pieces.json").read_text(encoding="utf-8"))
HOSTS = ("comfyui", "a1111")

Sidecar = dict[str, Any]


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("group", TABLE["groups"], ids=lambda group: group["about"][:40])
def test_the_mirror_does_what_the_table_says(group: dict, host: str) -> None:
    for case in group["cases"]:
        concepts = [TABLE["concepts"][id] for id in case["concepts"]]
        made = expand(case["text"], host, concepts, case["chosen"])
        loras = {lora["concept"]: lora["strength"] for lora in made["loras"]}
        wanted = (case[host], case["loras"] if host == "comfyui" else {}, case["called"])
        assert (made["text"], loras, made["called"]) == wanted, case["text"]
        assert expand(made["text"], host, concepts, case["chosen"])["text"] == made["text"]


def test_the_table_is_all_there() -> None:
    assert sum(len(group["cases"]) for group in TABLE["groups"]) >= 170


def test_the_mirror_knows_its_hosts() -> None:
    with pytest.raises(ValueError, match="comfyui or a1111"):
        expand("xander", "forge", [])


def take_in(daemon: Daemon, folder: Path, name: str, mode: str = "object", tokens: int = 2) -> dict:
    """Imports a concept that says nothing about itself."""
    files = foreign(LORA_SHAPES, {key: [tokens, width] for key, (_, width) in EMBEDDING_SHAPES.items()})
    if tokens == 0:
        # A plain LoRA is called by a word, which it must say.
        files = {"eden_lora.safetensors": safetensors(LORA_SHAPES, {"conceptd.trigger": name})}
    return daemon.import_concept(write(folder / "eden.tar", files), mode, name=name)


def change(daemon: Daemon, concept: dict, **change: Any) -> dict:
    """Changes a concept."""
    answer = send_json(daemon, "PATCH", f"/v1/concepts/{concept['id']}", change)
    assert answer.status == 200, answer.body
    return json.loads(answer.body)


@pytest.fixture(scope="module")
def library(daemon: Daemon, tmp_path_factory: pytest.TempPathFactory) -> list[Sidecar]:
    """The table's concepts in the daemon, as their sidecar files would describe them."""
    folder = tmp_path_factory.mktemp("foreign")
    sidecars = []
    for wanted in TABLE["concepts"].values():
        concept = take_in(daemon, folder, wanted["name"], wanted["mode"], wanted["tokens"])
        concept = change(daemon, concept, bare_name=wanted["bare_name"])
        keys = ("id", "name", "mode", "stem", "tokens", "bare_name")
        sidecars.append({**{key: concept[key] for key in keys}, "strength": 1.0})
    return sidecars


def text_of(dice: random.Random) -> str:
    """A prompt of pieces, mostly as people write them."""
    between = dice.choice(["", " ", ", "])
    return between.join(dice.choice(PIECES) for _ in range(dice.randint(1, 12)))


@pytest.mark.parametrize("host", HOSTS)
def test_the_mirror_does_what_the_daemon_does(daemon: Daemon, library: list[Sidecar], host: str) -> None:
    # By name the newest is meant, and the daemon takes names in their order.
    newest = {folded(concept["name"]): concept for concept in library}
    known = [newest[name] for name in sorted(newest, key=str.encode)]
    dice = random.Random(6)
    changed = 0
    for _ in range(700):
        text = text_of(dice)
        chosen = dice.sample(library, dice.randint(0, 4))
        chosen = [{**concept, "strength": dice.choice([1, 0.8, -0.5, 0.25, 1e-7, 2])} for concept in chosen]
        asked = daemon.expand_prompt(text, host, [(concept["id"], concept["strength"]) for concept in chosen])
        assert asked == expand(text, host, chosen or known, bool(chosen)), text
        changed += asked["text"] != text
    assert changed > 200


def test_names_are_found_in_the_library(daemon: Daemon, library: list[Sidecar]) -> None:
    by_name = {concept["name"]: concept["id"] for concept in library}
    for text, called in [
        ("a photo of <anna maria> and <XANDER>", ["Anna Maria", "Xander"]),
        ("two <Teddy>s, <o’brien>'s", ["O'Brien", "Teddy"]),
        ("xサンダーx <サンダー>の写真", ["サンダー"]),
        ("xander, rose, anna maria", []),
        ("<Nobody>", []),
        (" ", []),
    ]:
        assert daemon.expand_prompt(text, "comfyui")["called"] == [by_name[name] for name in called], text


def test_a_name_decides_whether_it_calls_alone_until_the_user_does(daemon: Daemon, tmp_path: Path) -> None:
    """Defaults, switches, new names, new versions."""
    assert take_in(daemon, tmp_path, "Qwoxel")["bare_name"] is True
    plain = take_in(daemon, tmp_path, "Castle")
    assert plain["bare_name"] is False
    assert daemon.expand_prompt("a castle, qwoxels", "a1111")["text"] == (
        "a castle, qwoxel_embeddings <lora:qwoxel_lora:1>"
    )
    # The name decides anew when it changes.
    renamed = daemon.rename(plain, "Blorptower")
    assert renamed["bare_name"] is True
    assert daemon.expand_prompt("blorptower", "a1111")["called"] == [plain["id"]]
    # Until the user has: also for a retrained concept of the name.
    assert change(daemon, renamed, bare_name=False)["bare_name"] is False
    assert daemon.rename(renamed, "Blorptowers")["bare_name"] is False
    assert take_in(daemon, tmp_path, "blorptowers")["bare_name"] is False
    assert daemon.expand_prompt("blorptowers", "a1111") == {"text": "blorptowers", "loras": [], "called": []}


def test_the_command_prints_the_prompt_and_nothing_else(
    daemon: Daemon, library: list[Sidecar], program: Path
) -> None:
    def command(*arguments: str) -> str:
        run = [program, *arguments, "--home", daemon.home]
        return subprocess.run(run, check=True, capture_output=True, encoding="utf-8").stdout

    # With no concept given, nothing is chosen.
    assert command("prompt", "fox and kojii", "--host", "comfyui") == "fox and embedding:kojii-v2_embeddings\n"
    chosen = command("prompt", "fox and kojii", "--host", "a1111", "--concept", "Fox:0.5")
    assert chosen == "fox_embeddings and kojii <lora:fox_lora:0.5>\n"
    assert "Fox or <Fox>" in command("concepts", "bare", "fox", "on")
    assert command("prompt", "a fox", "--host", "comfyui") == "a embedding:fox_embeddings\n"
    command("concepts", "bare", "fox", "off")
    assert command("prompt", "a fox", "--host", "comfyui") == "a fox\n"
