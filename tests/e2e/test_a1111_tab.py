"""The Concepts tab in Chromium, on a stand-in of the web UI with the Gradio of A1111 (3.41) and of Forge (4.40).

CONCEPTD_GRADIO3 and CONCEPTD_GRADIO4 name Pythons that have them, CONCEPTD_CHROMIUM the browser; tests/hosts/A1111.md
says how they are made. CONCEPTD_SCREENSHOTS names a folder for pictures of the page.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest
import toy
import webui
from concept_client import Daemon

# Read now: the variables are taken away before tests run.
GRADIO = {"a1111": os.environ.get("CONCEPTD_GRADIO3"), "forge": os.environ.get("CONCEPTD_GRADIO4")}
CHROMIUM = os.environ.get("CONCEPTD_CHROMIUM")
SCREENSHOTS = os.environ.get("CONCEPTD_SCREENSHOTS")
FIELDS = {
    "steps": "40",
    "resolution": "128",
    "batch_size": "2",
    "lora_rank": "4",
    "learning_rate": "0.003",
    "sample_every": "20",
    "sample_prompt": "a photo of <concept>",
}
# A file name that is markup where it is not text.
MARKUP = "<img src=x onerror=hacked=1>.png"
TRAINED = 120_000


@contextmanager
def browser() -> Iterator[Any]:
    sync_playwright = pytest.importorskip(
        "playwright.sync_api", reason="`pip install playwright` first"
    ).sync_playwright
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield running
        running.close()


class Tab:
    """The page, with what went wrong in it."""

    def __init__(self, running: Any, url: str, kind: str) -> None:
        context = running.new_context(viewport={"width": 1200, "height": 900})
        context.grant_permissions(["clipboard-read", "clipboard-write"], origin=url)
        self.page, self.kind, self.errors = context.new_page(), kind, []
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.open(url)

    def open(self, url: str) -> None:
        self.page.goto(url)
        # Gradio's tabs are buttons; only its newer ones say that they are tabs.
        self.page.locator("button", has_text="Concepts").first.click()
        self.root = self.page.locator("#conceptd-root")

    def picture(self, name: str) -> None:
        if SCREENSHOTS:
            self.page.screenshot(path=Path(SCREENSHOTS) / f"{self.kind}-{name}.png", full_page=True)

    def sees(self, text: str, timeout: float = 20_000) -> Any:
        found = self.root.get_by_text(text).first
        found.wait_for(timeout=timeout)
        return found

    def press(self, name: str) -> None:
        self.root.get_by_role("button", name=name, exact=True).first.click()


def needs(kind: str) -> str:
    python = GRADIO[kind]
    if not python or not CHROMIUM:
        pytest.skip(f"CONCEPTD_GRADIO{3 if kind == 'a1111' else 4} or CONCEPTD_CHROMIUM is not set")
    return python


@pytest.mark.parametrize("kind", ["a1111", "forge"])
def test_the_tab(kind: str, program: Path, toy_base: Path, tmp_path: Path) -> None:
    python, data, home = needs(kind), tmp_path / "data", tmp_path / "home"
    models = data / "models" / "Stable-diffusion"
    models.mkdir(parents=True)
    os.link(toy_base, models / "toyxl.safetensors")
    flags = ("--conceptd-program", str(program))
    with (
        webui.running(data, kind, *flags, home=home, python=python, environment={"CONCEPTD_PORT": "0"}) as ui,
        browser() as running,
    ):
        tab = Tab(running, ui.url, kind)
        try:
            _starts(tab)
            _takes_pictures(tab, tmp_path)
            _plans_and_trains(tab)
            _shows_the_concept(tab, ui, home)
            _looks(tab, ui)
            _is_left_alone(tab, home)
        except BaseException:
            tab.picture("failed")
            raise
        finally:
            if (home / "daemon.json").exists():
                pid = json.loads((home / "daemon.json").read_text())["pid"]
                if psutil.pid_exists(pid):
                    psutil.Process(pid).terminate()
        assert not tab.errors


def _starts(tab: Tab) -> None:
    tab.sees("conceptd is not running")
    assert "serve --home" in tab.root.locator("code").first.inner_text()
    tab.picture("1-absent")
    tab.press("Start it")
    tab.sees("New concept")
    assert (
        tab.root.get_by_role("link", name="conceptd's own page").get_attribute("href").startswith("http://127.0.0.1:")
    )


def _takes_pictures(tab: Tab, folder: Path) -> None:
    tab.press("Check")
    tab.sees("Choose pictures first")
    pictures = sorted(toy.PICTURES.iterdir())
    broken = {"name": "broken.png", "mimeType": "image/png", "buffer": b"nothing"}
    files = [
        {"name": p.name, "mimeType": "image/png" if p.suffix == ".png" else "text/plain", "buffer": p.read_bytes()}
        for p in pictures
    ]
    upload = tab.root.locator("input[type=file]")
    upload.set_input_files([{**broken, "name": MARKUP}])
    tab.sees("onerror=hacked")
    assert tab.page.evaluate("window.hacked") is None
    upload.set_input_files([*files, broken])
    tab.sees("6 pictures, 6 with a text of their own")
    tab.sees("1 files are not used").click()
    tab.sees("broken.png: ")
    # Dropped ones take their place.
    drop = tab.page.evaluate_handle(
        """(files) => {
            const dropped = new DataTransfer();
            for (const [name, type, bytes] of files) {
                dropped.items.add(new File([Uint8Array.from(atob(bytes), (c) => c.charCodeAt(0))], name, { type }));
            }
            return dropped;
        }""",
        [[p.name, "image/png" if p.suffix == ".png" else "text/plain", _base64(p)] for p in pictures],
    )
    tab.page.dispatch_event(".conceptd-drop", "drop", {"dataTransfer": drop})
    tab.root.get_by_text("1 files are not used").wait_for(state="detached")
    tab.sees("6 pictures, 6 with a text of their own")


def _base64(path: Path) -> str:
    import base64

    return base64.b64encode(path.read_bytes()).decode()


def _plans_and_trains(tab: Tab) -> None:
    tab.root.locator("[name=concept]").fill("Kojii")
    tab.root.get_by_role("radio", name="Object").check()
    assert tab.root.locator("[name=base]").input_value().endswith("toyxl.safetensors")
    tab.root.get_by_text("More", exact=True).click()
    tab.root.locator("[name=steps]").fill("many")
    tab.press("Check")
    tab.sees("“many” is no number")
    for name, value in FIELDS.items():
        tab.root.locator(f"[name={name}]").fill(value)
    tab.press("Check")
    tab.sees("6 pictures · 40 steps")
    assert tab.root.get_by_role("alert").count() >= 1
    tab.sees("Every decision and why").click()
    tab.picture("2-plan")
    # Another name needs another look.
    tab.root.locator("[name=concept]").fill("Kojii ")
    assert not tab.root.get_by_role("button", name="Train", exact=True).is_visible()
    tab.press("Check")
    tab.press("Train")
    tab.sees("is in the queue")
    job = tab.root.locator(".conceptd-job").first
    job.get_by_text("step ").wait_for(timeout=TRAINED)
    tab.picture("3-training")
    job.get_by_role("button", name="Pause").click()
    job.get_by_text("paused").wait_for(timeout=TRAINED)
    job.get_by_role("button", name="Resume").click()
    job.get_by_text("done", exact=True).wait_for(timeout=TRAINED)
    job.locator(".conceptd-samples img").first.wait_for()
    _loaded(tab, ".conceptd-samples img")


def _loaded(tab: Tab, selector: str) -> None:
    tab.page.wait_for_function(
        "(s) => { const i = document.querySelector(s); return i && i.naturalWidth > 0 }", arg=selector
    )


def _shows_the_concept(tab: Tab, ui: webui.WebUI, home: Path) -> None:
    concept = tab.root.locator(".conceptd-concept").first
    concept.wait_for()
    _loaded(tab, ".conceptd-concept img")
    [known] = Daemon(home).concepts()
    # A job that was to install it here has done so.
    concept.get_by_role("button", name="Uninstall").wait_for()
    assert (ui.loras / "kojii_lora.safetensors").is_file() and (
        ui.embeddings / "kojii_embeddings.safetensors"
    ).is_file()
    tab.picture("4-done")
    concept.get_by_role("button", name="Uninstall").click()
    concept.get_by_role("button", name="Install here").click()
    concept.get_by_role("button", name="Uninstall").wait_for()
    [lora] = ui.loras.glob("kojii*_lora.safetensors")
    concept.get_by_role("button", name="Copy prompt").click()
    concept.get_by_text("Copied").wait_for()
    assert tab.page.evaluate("navigator.clipboard.readText()") == known["prompts"]["a1111"]
    [picture] = ui.post("/standin/draw", {"prompts": ["<Kojii> on a beach"]})["pictures"]
    assert picture["loras"] == [lora.stem] and not picture["missing"]


def _looks(tab: Tab, ui: webui.WebUI) -> None:
    for name, width, theme in [("wide-dark", 1200, "dark"), ("narrow", 400, "light"), ("narrow-dark", 400, "dark")]:
        tab.page.set_viewport_size({"width": width, "height": 900})
        tab.open(f"{ui.url}/?__theme={theme}")
        _loaded(tab, ".conceptd-concept img")
        tab.picture(f"5-{name}")
        # Nothing sticks out.
        assert tab.root.evaluate("(root) => root.scrollWidth <= root.clientWidth")


def _is_left_alone(tab: Tab, home: Path) -> None:
    psutil.Process(json.loads((home / "daemon.json").read_text())["pid"]).terminate()
    tab.sees("conceptd is not running")


@pytest.mark.parametrize("kind", ["a1111", "forge"])
def test_a_password_of_gradio_protects_it(kind: str, daemon: Daemon, tmp_path: Path) -> None:
    python = needs(kind)
    with webui.running(tmp_path / "data", kind, "--gradio-auth", "me:secret", home=daemon.home, python=python) as ui:
        assert ui.ask("GET", "/conceptd/api/v1/version")[0] == 403
        connection = ui.connect()
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        connection.request("POST", "/login", b"username=me&password=secret", form)
        answer = connection.getresponse()
        cookies = "; ".join(cookie.partition(";")[0] for cookie in answer.headers.get_all("Set-Cookie"))
        connection.close()
        assert ui.ask("GET", "/conceptd/api/v1/version", headers={"Cookie": cookies})[0] == 200
