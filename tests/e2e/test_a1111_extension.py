"""Concepts by name in prompts of A1111 and Forge, what pictures remember, lists of files, the model, the daemon."""

from __future__ import annotations

import json
import os
import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import psutil
import pytest
import toy
import webui
from concept_client import Daemon
from processes import until

KINDS = ["a1111", "forge"]
CALLED = "kojii_embeddings on a beach <lora:kojii_lora:1>"


@pytest.fixture
def nobody(tmp_path: Path) -> Path:
    """A home where no daemon runs."""
    return tmp_path / "home"


@pytest.fixture(scope="module")
def shared_ui(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webui.WebUI]:
    folder = tmp_path_factory.mktemp("ui")
    with webui.running(folder / "data", home=folder / "home") as running:
        yield running


@pytest.fixture
def ui(shared_ui: webui.WebUI) -> webui.WebUI:
    """A web UI without a daemon and with nothing installed."""
    for folder in (shared_ui.loras, shared_ui.embeddings):
        for file in folder.rglob("*.*"):
            file.unlink()
    return shared_ui


def draw(ui: webui.WebUI, *prompts: str, **more: object) -> dict:
    return ui.post("/standin/draw", {"prompts": list(prompts), **more})


def paste(ui: webui.WebUI, infotext: str) -> dict:
    return ui.post("/standin/paste", {"infotext": infotext})


@pytest.mark.parametrize("typed", ["<Kojii> on a beach", "<kojii> on a beach", "kojii on a beach"])
def test_a_concept_is_called_by_its_name(ui: webui.WebUI, typed: str) -> None:
    webui.install(ui, "kojii", "Kojii")
    [picture] = draw(ui, typed)["pictures"]
    assert picture["loras"] == ["kojii_lora"] and not picture["missing"]
    assert picture["prompt"].strip() == "kojii_embeddings on a beach"


def test_the_picture_remembers_what_was_typed(ui: webui.WebUI) -> None:
    webui.install(ui, "kojii", "Kojii")
    typed = '<Kojii> on a beach, "golden" hour: 5pm'
    drawn = draw(ui, typed)
    infotext = drawn["pictures"][0]["infotext"]
    assert infotext.startswith(drawn["grid"]) and "<lora:kojii_lora:1>" in drawn["grid"]
    pasted = paste(ui, infotext)
    assert pasted == {"prompt": typed, "hires": "", "script": [True]}
    assert draw(ui, pasted["prompt"])["pictures"][0]["infotext"] == infotext


def test_a_picture_is_drawn_again_though_its_concept_was_trained_again(ui: webui.WebUI) -> None:
    webui.install(ui, "kojii", "Kojii", age=10)
    infotext = draw(ui, "kojii on a beach")["pictures"][0]["infotext"]
    webui.install(ui, "kojii-v2", "kojii")
    assert draw(ui, "kojii on a beach")["pictures"][0]["loras"] == ["kojii-v2_lora"]
    pasted = paste(ui, infotext)
    assert pasted["prompt"] == CALLED and pasted["script"] == [None]
    # What is written out already is left alone.
    [again] = draw(ui, pasted["prompt"])["pictures"]
    assert again["loras"] == ["kojii_lora"] and again["prompt"].strip() == "kojii_embeddings on a beach"


def test_a_picture_is_drawn_again_without_its_concept(ui: webui.WebUI) -> None:
    webui.install(ui, "kojii", "Kojii")
    infotext = draw(ui, "kojii on a beach")["pictures"][0]["infotext"]
    for file in [*ui.loras.iterdir(), *ui.embeddings.iterdir()]:
        file.unlink()
    assert paste(ui, infotext)["prompt"] == CALLED


def test_pictures_of_other_prompts_remember_their_own(ui: webui.WebUI) -> None:
    webui.install(ui, "kojii", "Kojii")
    typed = ["kojii, asleep", "a dog, asleep", "<Kojii>, awake"]
    pictures = draw(ui, *typed)["pictures"]
    assert [paste(ui, picture["infotext"])["prompt"] for picture in pictures] == typed
    assert "Concept prompt" not in pictures[1]["infotext"]


def test_the_second_pass_is_rewritten_too(ui: webui.WebUI) -> None:
    webui.install(ui, "kojii", "Kojii")
    [same] = draw(ui, "kojii on a beach", hires="")["pictures"]
    assert "Hires prompt" not in same["infotext"]
    [other] = draw(ui, "a beach", hires="kojii, in detail")["pictures"]
    assert 'Hires prompt: "kojii_embeddings, in detail <lora:kojii_lora:1>"' in other["infotext"]
    assert paste(ui, other["infotext"]) == {"prompt": "a beach", "hires": "kojii, in detail", "script": [True]}


def test_it_can_be_switched_off(ui: webui.WebUI) -> None:
    webui.install(ui, "kojii", "Kojii")
    [picture] = draw(ui, "<Kojii> on a beach", by_name=False)["pictures"]
    assert picture["prompt"] == "<Kojii> on a beach" and "Concept" not in picture["infotext"]


def test_a_bare_name_that_is_a_word_calls_nothing(ui: webui.WebUI) -> None:
    webui.install(ui, "rose", "Rose", bare_name=False)
    assert not draw(ui, "a rose in a vase")["pictures"][0]["loras"]
    assert draw(ui, "a <Rose> in a vase")["pictures"][0]["loras"] == ["rose_lora"]


def test_files_of_others_call_nothing(ui: webui.WebUI) -> None:
    webui.install(ui, "kojii", "Kojii")
    sidecar = ui.loras / "kojii_lora.json"
    told = json.loads(sidecar.read_text())
    for other in (
        "",
        "[]",
        "{}",
        '{"conceptd": 5}',
        '{"conceptd": {"name": "Kojii"}}',
        json.dumps({**told, "conceptd": None}),
    ):
        sidecar.write_text(other)
        # Times of files are coarse.
        os.utime(sidecar, ns=(0, len(other)))
        [picture] = draw(ui, "<Kojii> on a beach")["pictures"]
        assert picture["prompt"] == "<Kojii> on a beach"
    sidecar.write_text(json.dumps(told))
    assert draw(ui, "<Kojii> on a beach")["pictures"][0]["loras"] == ["kojii_lora"]
    (ui.loras / "kojii_lora.safetensors").unlink()
    assert draw(ui, "<Kojii> on a beach")["pictures"][0]["prompt"] == "<Kojii> on a beach"


@pytest.mark.parametrize("kind", KINDS)
def test_state(tmp_path: Path, nobody: Path, kind: str) -> None:
    with webui.running(tmp_path / "data", kind, home=nobody) as ui:
        expected = {
            "busy": False,
            "training_prompt": False,
            "held_bytes": None,
            "loras_dir": str(ui.loras.resolve()),
            "embeddings_dir": str(ui.embeddings.resolve()),
            "data_dir": str(ui.data.resolve()),
            "kind": kind,
        }
        assert ui.get("/conceptd/state") == expected
        ui.post("/standin/job", {"job": "task(1)"})
        assert ui.get("/conceptd/state")["busy"]


@pytest.mark.parametrize("loaded", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_new_files_are_seen_without_a_restart(tmp_path: Path, nobody: Path, kind: str, loaded: bool) -> None:
    with webui.running(tmp_path / "data", kind, home=nobody) as ui:
        if loaded:
            ui.post("/standin/load", {"width": 2048})

        def seen(stem: str) -> dict:
            # As the daemon asks: no browser, so no header.
            status, content = ui.ask("POST", "/conceptd/refresh", {"stem": stem})
            assert status == 200
            return json.loads(content)

        assert seen("kojii") == {"lora": False, "embedding": False}
        webui.install(ui, "kojii", "Kojii")
        assert seen("kojii") == {"lora": True, "embedding": True}
        # For models of another kind than the one that is loaded.
        webui.install(ui, "other", "Other", width=768)
        assert seen("other") == {"lora": True, "embedding": True}
        for wrong in ({"stem": "../kojii"}, {"stem": 5}, {}, []):
            assert ui.ask("POST", "/conceptd/refresh", wrong)[0] == 400
        assert ui.ask("POST", "/conceptd/refresh", b"{")[0] == 400


@pytest.mark.parametrize("kind", KINDS)
def test_the_model_leaves_the_card_and_comes_back_to_draw(tmp_path: Path, nobody: Path, kind: str) -> None:
    with webui.running(tmp_path / "data", kind, home=nobody) as ui:
        assert ui.post("/conceptd/free") == {"freed": True}
        ui.post("/standin/load", {"width": 2048})
        ui.post("/standin/job", {"job": "task(1)"})
        assert ui.post("/conceptd/free") == {"freed": False}
        assert ui.post("/standin/job", {"job": ""}) == {"on_card": True}
        assert ui.post("/conceptd/free") == {"freed": True}
        assert ui.post("/standin/job", {"job": ""}) == {"on_card": False}
        assert draw(ui, "a dog")["on_card"]


def test_without_the_program_it_says_how_to_start_the_daemon(ui: webui.WebUI) -> None:
    state = ui.get("/conceptd/daemon")
    assert not state["running"] and not state["startable"] and state["command"].startswith("conceptd serve --home ")
    assert ui.ask("GET", "/conceptd/api/v1/jobs")[0] == 503
    assert "--conceptd-program" in ui.post("/conceptd/start", status=503)["detail"]


def test_it_starts_the_daemon(tmp_path: Path, program: Path, toy_base: Path) -> None:
    data = tmp_path / "data"
    models = data / "models" / "Stable-diffusion"
    models.mkdir(parents=True)
    os.link(toy_base, models / "toyxl.safetensors")
    home = tmp_path / "home"
    flags = ("--conceptd-program", str(program))
    # Its usual port may be taken.
    with webui.running(data, "a1111", *flags, home=home, environment={"CONCEPTD_PORT": "0"}) as ui:
        assert ui.get("/conceptd/daemon")["startable"]
        state = ui.post("/conceptd/start")
        pid = json.loads((home / "daemon.json").read_text())["pid"]
        try:
            assert state["running"] and state["url"].startswith("http://127.0.0.1:")
            assert ui.get("/conceptd/api/v1/version")["version"] == state["version"]
            # It knows the checkpoints of the web UI.
            assert [model["name"] for model in ui.get("/conceptd/api/v1/models")["items"]] == ["toyxl"]
        finally:
            psutil.Process(pid).terminate()
        # It goes on alone, and its end is noticed.
        until(lambda: not ui.get("/conceptd/daemon")["running"])


class Hosts(BaseHTTPRequestHandler):
    """A daemon that knows hosts and nothing else; `None` for one that does not even know that there are any."""

    known: list[dict] | None = []

    def do_GET(self) -> None:
        self._answer(404 if self.known is None else 200, {"items": self.known})

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.known.append({"id": f"host-{len(self.known) + 1}", **request})
        self._answer(201, self.known[-1])

    def _answer(self, status: int, value: dict) -> None:
        assert self.path == "/v1/hosts" and self.headers["Authorization"] == "Bearer secret"
        content = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Says nothing."""


@pytest.mark.parametrize("kind", KINDS)
def test_it_makes_itself_known_once_and_only_when_asked(tmp_path: Path, nobody: Path, kind: str) -> None:
    nobody.mkdir()
    (nobody / "token").write_text("secret")
    elsewhere = {"id": "other", "kind": kind, "folder": "/x", "loras": str(tmp_path), "embeddings": "/x", "url": None}
    handler = type("Knowing", (Hosts,), {"known": [elsewhere]})
    with (
        ThreadingHTTPServer(("127.0.0.1", 0), handler) as server,
        webui.running(tmp_path / "data", kind, home=nobody) as ui,
    ):
        threading.Thread(target=server.serve_forever, daemon=True).start()
        (nobody / "daemon.json").write_text(json.dumps({"url": f"http://127.0.0.1:{server.server_address[1]}"}))
        assert ui.get("/conceptd/host") == {"id": None} and handler.known == [elsewhere]
        assert ui.post("/conceptd/host") == ui.post("/conceptd/host") == ui.get("/conceptd/host") == {"id": "host-2"}
        [_, own] = handler.known
        assert own == {
            "id": "host-2",
            "kind": kind,
            "folder": str(ui.data.resolve()),
            "loras": str(ui.loras.resolve()),
            "embeddings": str(ui.embeddings.resolve()),
            "url": ui.url,
        }
        handler.known = None
        assert ui.post("/conceptd/host", status=501)["code"] == "too_old"
        server.shutdown()


@pytest.fixture(scope="module")
def concept(daemon: Daemon, dataset: dict) -> dict:
    """A concept in the daemon's library, in a few steps."""
    return daemon.wait(toy.submit(daemon, dataset, steps=2, sample_every=0, save_every=2))


def test_the_daemon_is_asked_first_and_what_is_not_here_is_not_called(
    tmp_path: Path, daemon: Daemon, concept: dict
) -> None:
    with webui.running(tmp_path / "data", home=daemon.home) as ui:
        # It lies in the library only.
        [picture] = draw(ui, "<Kojii> on a beach")["pictures"]
        assert picture["prompt"] == "<Kojii> on a beach" and not picture["missing"]
        webui.install(ui, concept["stem"], "Kojii")
        daemon.rename(concept, "Zorblatt")
        try:
            [picture] = draw(ui, "<Zorblatt> on a beach")["pictures"]
            assert picture["loras"] == [f"{concept['stem']}_lora"]
        finally:
            daemon.rename(concept, concept["name"])


def test_a_daemon_that_says_nothing_keeps_no_picture_waiting(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    with socket.create_server(("127.0.0.1", 0)) as silent, webui.running(tmp_path / "data", home=home) as ui:
        (home / "daemon.json").write_text(json.dumps({"url": f"http://127.0.0.1:{silent.getsockname()[1]}"}))
        webui.install(ui, "kojii", "Kojii")
        begun = time.monotonic()
        pictures = draw(ui, *[f"kojii {n}" for n in range(20)])["pictures"]
        assert all(picture["loras"] == ["kojii_lora"] for picture in pictures)
        # A second for all of them, not for each.
        assert time.monotonic() - begun < 10
