"""Hosts: found, given concepts as pairs that they see, and left as they were; a card that is shared with them."""

from __future__ import annotations

import contextlib
import json
import shutil
import socket
import sqlite3
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import toy
from concept_client import ConceptdError, Daemon, DaemonNotRunning
from conftest import Launch
from processes import until, workers

FAKES = Path(__file__).parents[1] / "hosts" / "fakes"
TRAINING = [0, "p-1", {"7": {"class_type": "ConceptdTrain", "inputs": {}}}, {}, []]
DRAWING = [0, "p-2", {"7": {"class_type": "KSampler", "inputs": {}}}, {}, []]


class ComfyUI:
    """A running stand-in in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.program, self.base = folder / "program", folder / "base"
        (self.program / "comfy").mkdir(parents=True)
        for kind in ("loras", "embeddings"):
            (self.base / "models" / kind).mkdir(parents=True)
        shutil.copy(FAKES / "comfyui.py", self.program / "main.py")
        with closing(socket.create_server(("127.0.0.1", 0))) as free:
            port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        command = [sys.executable, "main.py", "--port", str(port), "--base-directory", str(self.base)]
        self.process = subprocess.Popen(command, cwd=self.program)
        until(self._answers)

    def _answers(self) -> bool:
        try:
            return bool(self.state())
        except OSError:
            return False

    def state(self, **change: object) -> dict:
        """What the stand-in is at, after changing that."""
        body = json.dumps(change).encode() if change else None
        with urllib.request.urlopen(urllib.request.Request(self.url + "/stand-in", body), timeout=10) as answer:
            return json.load(answer)

    def files(self) -> list[str]:
        """Everything among its models."""
        models = self.base / "models"
        return sorted(path.relative_to(models).as_posix() for path in models.rglob("*") if path.is_file())


@pytest.fixture()
def comfyui(tmp_path: Path) -> Iterator[ComfyUI]:
    """A running ComfyUI."""
    running = ComfyUI(tmp_path / "comfyui")
    yield running
    running.process.kill()
    running.process.wait()


@pytest.fixture()
def concept(daemon: Daemon, reference: bytes, tmp_path: Path) -> dict:
    """A concept of its own in the library."""
    tar = tmp_path / "kojii.tar"
    tar.write_bytes(reference)
    return daemon.import_concept(tar, toy.MODE)


@pytest.fixture()
def host(daemon: Daemon, comfyui: ComfyUI) -> Iterator[dict]:
    """That ComfyUI, known to the daemon."""
    known = daemon.add_host("comfyui", comfyui.base, url=comfyui.url, **lies_in(comfyui))
    yield known
    daemon.forget_host(known)


def lies_in(comfyui: ComfyUI) -> dict:
    """Its folders, for a base folder without `custom_nodes`."""
    return {kind: comfyui.base / "models" / kind for kind in ("loras", "embeddings")}


def five(stem: str) -> list[str]:
    """The files of a concept without a preview."""
    return [f"embeddings/{stem}_embeddings.safetensors", f"loras/{stem}_lora.json", f"loras/{stem}_lora.safetensors"]


def test_a_pair_is_installed_seen_and_taken_back(daemon: Daemon, comfyui: ComfyUI, host: dict, concept: dict) -> None:
    stem = concept["stem"]
    [install] = daemon.install(concept)
    assert install["state"] == "seen" and install["text"] == f"installed and seen by ComfyUI at {comfyui.url}"
    assert comfyui.files() == five(stem)
    assert any(warning.startswith("base_nonstandard") for warning in install["warnings"])
    described = json.loads((comfyui.base / "models/loras" / f"{stem}_lora.json").read_text())
    assert described["activation text"] == f"{stem}_embeddings" and described["sd version"] == "SDXL"
    assert described["conceptd"]["name"] == toy.NAME and described["conceptd"]["mode"] == toy.MODE

    before = {path: path.stat().st_mtime_ns for path in comfyui.base.rglob("*_*.*")}
    assert daemon.install(concept) == [install], "once more changes nothing"
    assert {path: path.stat().st_mtime_ns for path in comfyui.base.rglob("*_*.*")} == before
    assert daemon.concept(concept["name"])["installs"] == [install]
    check = daemon.verify_host(host)
    assert check["running"] and check["problems"] == [] and install in check["installs"]

    assert daemon.uninstall(concept) == []
    assert comfyui.files() == [] and daemon.concept(concept)["installs"] == []


def test_what_is_not_ours_is_never_overwritten(daemon: Daemon, comfyui: ComfyUI, host: dict, concept: dict) -> None:
    stem = concept["stem"]
    theirs = comfyui.base / "models/loras" / f"{stem}_lora.safetensors"
    theirs.write_bytes(b"somebody's")
    [refused] = daemon.install(concept, [host], conflict="error")
    assert refused["state"] == "failed" and str(theirs) in refused["text"]
    assert comfyui.files() == [f"loras/{stem}_lora.safetensors"]
    [install] = daemon.install(concept, [host])
    assert install["state"] == "seen" and install["stem"] != stem
    assert comfyui.files() == sorted([*five(install["stem"]), f"loras/{stem}_lora.safetensors"])
    # What somebody changes later stays too.
    changed = comfyui.base / "models/loras" / f"{install['stem']}_lora.json"
    changed.write_text("{}")
    [check] = [one for one in daemon.verify_host(host)["installs"] if one["concept"] == concept["id"]]
    assert check["state"] == "changed"
    [kept] = daemon.uninstall(concept)
    assert kept["files"] == [str(changed)] and theirs.read_bytes() == b"somebody's"
    assert comfyui.files() == sorted([f"loras/{stem}_lora.safetensors", f"loras/{install['stem']}_lora.json"])


def test_prompts_and_descriptions_follow_what_is_installed(
    daemon: Daemon, comfyui: ComfyUI, host: dict, concept: dict
) -> None:
    taken = comfyui.base / "models/loras" / f"{concept['stem']}_lora.json"
    taken.write_text("{}")
    [install] = daemon.install(concept, [host])
    described = comfyui.base / "models/loras" / f"{install['stem']}_lora.json"
    prompt = daemon.expand_prompt("a photo of <concept>", "comfyui", [concept["id"]])
    assert prompt["text"] == f"a photo of embedding:{install['stem']}_embeddings"
    assert prompt["loras"] == [{"concept": f"{install['stem']}_lora", "strength": 1.0}]
    elsewhere = daemon.expand_prompt("a photo of <concept>", "a1111", [concept["id"]])
    assert f"{concept['stem']}_embeddings" in elsewhere["text"]
    daemon.rename(concept, "Otto")
    assert json.loads(described.read_text())["conceptd"]["name"] == "Otto"
    assert daemon.concept(concept)["installs"][0]["state"] == "seen"
    assert daemon.uninstall(concept) == [] and taken.read_text() == "{}"


def test_missing_files_are_repaired_and_a_deleted_concept_leaves(
    daemon: Daemon, comfyui: ComfyUI, host: dict, concept: dict
) -> None:
    daemon.install(concept, [host])
    (comfyui.base / "models/embeddings" / f"{concept['stem']}_embeddings.safetensors").unlink()
    [broken] = daemon.concept(concept)["installs"]
    assert broken["state"] == "changed"
    [repaired] = daemon.install(concept, [host])
    assert repaired["state"] == "seen" and comfyui.files() == five(concept["stem"])
    daemon.delete(concept)
    assert comfyui.files() == []


def test_a_drive_that_is_away_and_a_host_that_is_off(daemon: Daemon, tmp_path: Path, concept: dict) -> None:
    folders = {kind: tmp_path / "drive" / "models" / kind for kind in ("loras", "embeddings")}
    folders["loras"].mkdir(parents=True)
    host = daemon.add_host("a1111", tmp_path / "drive", url="http://127.0.0.1:9", **folders)
    [install] = daemon.install(concept, [host])
    assert install["state"] == "installed" and "not running" in install["text"]
    daemon.uninstall(concept)
    shutil.rmtree(tmp_path / "drive")
    [failed] = daemon.install(concept, [host])
    assert failed["state"] == "failed" and "drive away" in failed["text"] and not (tmp_path / "drive").exists()
    assert daemon.verify_host(host)["problems"]
    daemon.forget_host(host)


@pytest.mark.parametrize(
    ("kind", "folder", "field"),
    [("comfyui", "relative", "folder"), ("comfyui", None, "folder"), ("a1111", "missing", "folder")],
)
def test_what_is_no_host_is_refused(
    daemon: Daemon, tmp_path: Path, kind: str, folder: str | None, field: str
) -> None:
    where = tmp_path if folder is None else folder if folder == "relative" else tmp_path / folder
    with pytest.raises(ConceptdError) as refused:
        daemon.add_host(kind, where)
    assert refused.value.field == field


def test_what_a_crash_left_is_taken_back(launch: Launch, reference: bytes, comfyui: ComfyUI, tmp_path: Path) -> None:
    daemon = launch()
    tar = tmp_path / "kojii.tar"
    tar.write_bytes(reference)
    concept = daemon.import_concept(tar, toy.MODE)
    daemon.add_host("comfyui", comfyui.base, url=comfyui.url, **lies_in(comfyui))
    daemon.install(concept)
    daemon.process.kill()
    daemon.process.wait()
    # As if the power had gone between the first file and the last.
    with closing(sqlite3.connect(daemon.home / "conceptd.db")) as database, database:
        database.execute("UPDATE installs SET body = json_set(body, '$.progress', 'Placing')")
    (comfyui.base / "models/loras" / f"{concept['stem']}_lora.safetensors").unlink()
    daemon = launch(home=daemon.home)
    assert comfyui.files() == [] and daemon.concept(concept)["installs"] == []


def test_hosts_are_found(launch: Launch, comfyui: ComfyUI, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    user = tmp_path / "user"
    (user / "sd" / "modules_forge").mkdir(parents=True)
    (user / "sd" / "modules").mkdir()
    (user / "sd" / "webui.py").touch()
    (user / "AI" / "portable" / "ComfyUI" / "comfy").mkdir(parents=True)
    (user / "AI" / "portable" / "ComfyUI" / "main.py").touch()
    (user / "AI" / "portable" / "ComfyUI" / "extra_model_paths.yaml").write_text(
        f"shared:\n  is_default: true\n  base_path: {json.dumps(str(user / 'shared'))}\n  loras: loras\n"
    )
    for variable in ("HOME", "USERPROFILE", "APPDATA", "XDG_CONFIG_HOME"):
        monkeypatch.setenv(variable, str(user))
    daemon = launch()
    found = {host["folder"]: host for host in daemon.detect_hosts()}
    running = found[str(comfyui.base)]
    assert (running["kind"], running["url"], running["known"]) == ("comfyui", comfyui.url, None)
    assert running["loras"] == str(comfyui.base / "models" / "loras")
    assert found[str(user / "sd")]["kind"] == "forge"
    portable = found[str(user / "AI" / "portable" / "ComfyUI")]
    assert portable["loras"] == str(user / "shared" / "loras")
    body = {key: portable[key] for key in ("kind", "folder", "loras", "embeddings", "url")}
    known = daemon.add_host(**body)
    again = {host["folder"]: host for host in daemon.detect_hosts()}
    assert again[portable["folder"]]["known"] == known["id"]
    assert daemon.add_host(**body) == known, "a host is known once"


def test_a_training_installs_its_concept_and_shares_the_card(
    launch: Launch, comfyui: ComfyUI, reference: bytes, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "config.toml").write_text("host_idle = 1\n")
    daemon = launch(home=home)
    host = daemon.add_host("comfyui", comfyui.base, url=comfyui.url, **lies_in(comfyui))
    dataset = daemon.upload(toy.PICTURES)
    comfyui.state(running=[DRAWING], held=3 << 30)
    job = daemon.train(
        dataset, toy.NAME, toy.BASE, toy.MODE, parameters=toy.PARAMETERS, install=["all"], courtesy="polite"
    )
    waiting = until(lambda: (now := daemon.job(job))["waits_for"] and now)
    assert waiting["stage"] == "waiting" and waiting["waits_for"] == f"ComfyUI at {comfyui.url}"
    assert workers(daemon.process.pid) == []

    # A prompt that itself asks for a training is no drawing.
    comfyui.state(running=[TRAINING])
    until(lambda: daemon.job(job)["step"] >= 2)
    assert comfyui.state()["freed"] == 0, "a host that waits for us reads no wish"
    comfyui.state(running=[DRAWING])
    until(lambda: daemon.job(job)["waits_for"])
    until(lambda: workers(daemon.process.pid) == [])
    comfyui.state(running=[])
    concept = daemon.wait(job)

    notes = [event["text"] for event in daemon.events(job) if event["event"] == "note"]
    assert any("gave way to ComfyUI" in note for note in notes)
    assert any(note.endswith("let go of 3072 MiB") for note in notes) and comfyui.state()["freed"] == 1
    assert toy.bundle_bytes(daemon, concept, tmp_path) == reference, "giving way changes nothing"
    [install] = daemon.job(job)["installs"]
    assert (install["state"], install["host"]) == ("seen", host["id"])
    assert f"installed and seen by ComfyUI at {comfyui.url}" in notes
    assert f"loras/{concept['stem']}_lora.png" in comfyui.files()


def test_a_watched_folder_says_where_its_concept_is(daemon: Daemon, comfyui: ComfyUI, host: dict, tmp_path: Path) -> None:
    folder = tmp_path / "watched"
    shutil.copytree(toy.PICTURES, folder / "object_kojii")
    watch = daemon.watch(
        folder, toy.MODE, toy.BASE, install=[host["id"]], quiet_seconds=1, parameters=toy.PARAMETERS
    )
    result = folder / "object_kojii" / "RESULT.md"
    until(result.is_file, seconds=120)
    assert f"installed and seen by ComfyUI at {comfyui.url}" in result.read_text()
    daemon.unwatch(watch)
    with pytest.raises(ConceptdError) as refused:
        daemon.watch(folder, toy.MODE, toy.BASE, install=["host-0"])
    assert refused.value.field == "install"


def test_an_impolite_training_waits_for_nobody(daemon: Daemon, dataset: dict, comfyui: ComfyUI, host: dict) -> None:
    comfyui.state(running=[DRAWING])
    job = daemon.train(dataset, "hasty", toy.BASE, toy.MODE, parameters=toy.PARAMETERS, courtesy="share")
    daemon.wait(job)
    with pytest.raises(ConceptdError) as refused:
        daemon.train(dataset, "hasty", toy.BASE, toy.MODE, parameters=toy.PARAMETERS, install=["host-0"])
    assert refused.value.field == "install"


def test_a_waiting_training_can_be_cancelled(daemon: Daemon, dataset: dict, comfyui: ComfyUI, host: dict) -> None:
    comfyui.state(running=[DRAWING])
    job = daemon.train(dataset, "late", toy.BASE, toy.MODE, parameters=toy.PARAMETERS, courtesy="exclusive")
    until(lambda: daemon.job(job)["waits_for"])
    daemon.cancel(job)
    until(lambda: daemon.job(job)["state"] == "cancelled")


def test_commands(program: Path, launch: Launch, comfyui: ComfyUI, reference: bytes, tmp_path: Path) -> None:
    daemon = launch()
    tar = tmp_path / "kojii.tar"
    tar.write_bytes(reference)
    daemon.import_concept(tar, toy.MODE, name="Kojii")

    def run(*arguments: object, code: int = 0) -> str:
        command = [program, *map(str, arguments), "--home", daemon.home]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == code, done.stderr
        return done.stdout + done.stderr

    assert "no host is known" in run("hosts")
    folders = ["--loras", comfyui.base / "models/loras", "--embeddings", comfyui.base / "models/embeddings"]
    run("hosts", "add", "comfyui", comfyui.base, "--url", comfyui.url, *folders)
    assert "seen by ComfyUI" in run("install", "kojii", "--host", "comfyui")
    assert "seen by ComfyUI" in run("concepts", "show", "kojii")
    assert "(runs)" in run("hosts", "verify")
    assert run("uninstall", "kojii").strip() == "its files are gone"
    assert "no host `forge`" in run("install", "kojii", "--host", "forge", code=1)
    assert "forgotten" in run("hosts", "remove", "comfyui")
    assert "no host is known" in run("install", "kojii", code=1)


def test_an_interrupted_placing_never_shows_half(launch: Launch, reference: bytes, comfyui: ComfyUI, tmp_path: Path) -> None:
    """Kill -9 at some moment of many installs: afterwards each pair is whole or absent."""
    daemon = launch()
    tar = tmp_path / "kojii.tar"
    tar.write_bytes(reference)
    concepts = [daemon.import_concept(tar, toy.MODE, name=f"kojii{number}") for number in range(12)]
    daemon.add_host("comfyui", comfyui.base, url=comfyui.url, **lies_in(comfyui))

    def install_all() -> None:
        with contextlib.suppress(DaemonNotRunning):
            for concept in concepts:
                daemon.install(concept)

    client = threading.Thread(target=install_all)
    client.start()
    until(lambda: len(comfyui.files()) > 7)
    daemon.process.kill()
    client.join()
    daemon.process.wait()
    daemon = launch(home=daemon.home)
    installed = [concept["stem"] for concept in concepts if daemon.concept(concept)["installs"]]
    expected = sorted(name for stem in installed for name in five(stem))
    assert comfyui.files() == expected and installed
