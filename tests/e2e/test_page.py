"""The page in a real browser: the whole way from pictures to a picture, and what may happen on it."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import toy
from browsing import Watched, faults, is_too_wide, link_of, visit
from concept_client import Daemon
from conftest import Launch
from PIL import Image
from playwright.sync_api import Browser, Page, expect
from processes import until

PICTURES = sorted(toy.PICTURES.glob("*.png"))
# Where pictures of every view go, for people to look at; nowhere unless it is set.
PORTRAITS = os.environ.get("CONCEPTD_PORTRAITS")


@pytest.fixture(scope="module")
def home(program: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home in which a small tagger is installed."""
    home = tmp_path_factory.mktemp("page") / "conceptd"
    subprocess.run([program, "models", "add", toy.TOY / "tagger", "--home", home], check=True, capture_output=True)
    return home


@pytest.fixture(scope="module")
def daemon(launch: Launch, home: Path) -> Daemon:
    """A daemon that can see, draw and train."""
    daemon = launch(home)
    until(lambda: next(daemon.models())["sha256"])
    return daemon


@pytest.fixture(scope="module")
def comfyui(daemon: Daemon, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folders of a ComfyUI that the daemon knows."""
    folder = tmp_path_factory.mktemp("hosts") / "ComfyUI"
    for below in ("models/loras", "models/embeddings", "models/checkpoints", "custom_nodes", "comfy"):
        (folder / below).mkdir(parents=True)
    for file in ("main.py", "nodes.py"):
        (folder / file).write_text("")
    daemon.add_host("comfyui", folder)
    return folder


def url(daemon: Daemon, place: str = "") -> str:
    """An address of the page."""
    return f"{daemon._address()[0]}/{place}"


def pause_of(daemon: Daemon) -> tuple[int, Path]:
    """Ends a daemon; where and on what it ran."""
    port = int(daemon._address()[0].rpartition(":")[2])
    daemon.process.terminate()
    daemon.process.wait(20)
    return port, daemon.home


def has_pixels(page: Page, picture: Any) -> None:
    """Waits until a picture is really there."""
    expect(picture.first).to_be_visible()
    picture.first.scroll_into_view_if_needed()
    page.wait_for_function("element => element.complete && element.naturalWidth > 0", arg=picture.first.element_handle())


def test_the_whole_way(browser: Browser, program: Path, daemon: Daemon, comfyui: Path) -> None:
    with visit(browser, link_of(program, daemon)) as tab:
        page = tab.page
        expect(page.get_by_role("heading", level=1, name="New concept")).to_be_visible()
        assert "login" not in page.url

        # Pictures without captions.
        with page.expect_file_chooser() as chooser:
            page.get_by_role("button", name="Choose files").click()
        chooser.value.set_files(PICTURES)
        page.get_by_role("button", name="Go on with these").click()
        page.wait_for_url(re.compile("#/new/dataset-"))
        has_pixels(page, page.get_by_role("button", name="Look at 01.png").locator("img"))

        # What it is, and what is wrong with the pictures.
        page.get_by_label("Name", exact=True).fill("Kojii")
        page.get_by_role("radio", name="Object").check()
        expect(page.get_by_text("Better put right").or_(page.get_by_text("Good to know")).first).to_be_visible()

        # Captions: a tagger's, one of them edited.
        captions = page.get_by_role("region", name="Captions")
        captions.get_by_role("button", name="Describe the 6 without a caption").click()
        caption = page.get_by_label("Caption of 01.png")
        expect(caption).to_have_value(re.compile("^<concept>.*grass"))
        caption.fill("<concept> on a lawn")
        expect(page.get_by_text("All captions are saved")).to_be_visible()
        dataset = next(daemon.datasets())
        assert daemon.captions(dataset)["01.png"] == "<concept> on a lawn"

        # Parameters, and what the training would do.
        page.get_by_label("Checkpoint").select_option(label=option(page, "Checkpoint", toy.BASE))
        parameters(page, {**toy.PARAMETERS, "steps": 40, "save_every": 10, "sample_every": 10})
        start = page.get_by_role("button", name="Start training")
        expect(start).to_be_enabled()
        start.click()
        page.wait_for_url(re.compile("#/training/job-"))

        # Samples appear while it learns, and a concept at the end.
        has_pixels(page, page.get_by_role("img", name=re.compile("Sample after step")))
        [job] = daemon.jobs()
        page.get_by_role("link", name="Open the concept").or_(page.get_by_role("button", name="Open the concept")).click()
        expect(page.get_by_role("heading", level=1, name="Kojii")).to_be_visible()
        assert daemon.job(job)["state"] == "done"
        has_pixels(page, page.get_by_role("img", name="Preview of Kojii"))

        # It is where ComfyUI looks, as the page says.
        expect(page.get_by_text("Installed", exact=True).first).to_be_visible()
        assert (comfyui / "models/loras/kojii_lora.safetensors").is_file()
        assert (comfyui / "models/embeddings/kojii_embeddings.safetensors").is_file()

        # A picture.
        page.get_by_role("link", name="Create with it").click()
        page.get_by_label("Prompt", exact=True).fill("a photo of Kojii at the beach")
        page.get_by_text("Finer settings").click()
        page.get_by_label("Steps", exact=True).fill("4")
        page.get_by_role("button", name="Create 1 picture").click()
        has_pixels(page, page.get_by_role("img", name=re.compile("Kojii at the beach")))
        creation = next(daemon.creations())
        assert (creation["state"], creation["request"]["steps"]) == ("done", 4)
        assert creation["request"]["concepts"][0]["concept"] == daemon.job(job)["concept"]
        assert tab.foreign(daemon) == []


def option(page: Page, label: str, word: str) -> str:
    """The words of the choice that has this one among them."""
    choices = page.get_by_label(label).locator("option", has_text=word)
    expect(choices.first).to_be_attached()
    return choices.first.inner_text()


def parameters(page: Page, values: dict[str, Any]) -> None:
    """Pastes parameters, as one does who got them from somebody."""
    page.get_by_text("Advanced parameters").first.click()
    page.get_by_text("As JSON", exact=True).click()
    page.get_by_label("Parameters as JSON").fill(json.dumps(values))
    page.get_by_role("button", name="Take these values").click()


class TestATrainingThatIsWatched:
    """Reloads, restarts, two tabs."""

    def test_it_goes_on_over_a_reload_and_a_restart(self, browser: Browser, launch: Launch, program: Path) -> None:
        daemon = launch()
        job = toy.submit(daemon, daemon.upload(toy.PICTURES), steps=20_000, save_every=5, sample_every=5)
        with visit(browser, link_of(program, daemon)) as tab:
            page = tab.page
            page.goto(url(daemon, f"#/training/{job['id']}"))
            has_pixels(page, page.get_by_role("img", name=re.compile("Sample after step")))
            page.reload()
            expect(page.get_by_role("heading", level=1, name=toy.NAME)).to_be_visible()
            has_pixels(page, page.get_by_role("img", name=re.compile("Sample after step")))
            before = daemon.job(job)["step"]

            port, home = pause_of(daemon)
            expect(page.get_by_text("conceptd does not answer")).to_be_visible()
            daemon = launch(home, port=port)
            expect(page.get_by_text("conceptd does not answer")).to_be_hidden()
            until(lambda: daemon.job(job)["step"] > before + 5)
            step = page.get_by_text(re.compile(r"Step [\d,.]+ of")).first
            until(lambda: int(re.sub(r"\D", "", step.inner_text().split("of")[0])) > before)

            page.get_by_role("button", name="End training").click()
            page.get_by_role("dialog").get_by_role("button", name="End training").click()
            expect(page.get_by_text("Cancelled", exact=True).first).to_be_visible()
            assert daemon.job(job)["state"] == "cancelled"

    def test_two_tabs_see_and_do_the_same(self, browser: Browser, daemon: Daemon, program: Path) -> None:
        job = toy.submit(daemon, daemon.upload(toy.PICTURES), steps=20_000)
        place = url(daemon, f"#/training/{job['id']}")
        with visit(browser, link_of(program, daemon)) as tab:
            first, second = tab.page, Watched(tab.page.context)
            first.goto(place)
            second.page.goto(place)
            first.get_by_role("button", name="Pause").click()
            expect(first.get_by_role("button", name="Resume")).to_be_visible()
            expect(second.page.get_by_role("button", name="Resume")).to_be_visible()
            second.page.get_by_role("button", name="Resume").click()
            expect(first.get_by_role("button", name="Pause")).to_be_visible()
            daemon.cancel(job)
            for page in (first, second.page):
                expect(page.get_by_text("Cancelled", exact=True).first).to_be_visible()
            assert second.errors == []


def test_a_login_that_ended_leads_back_to_where_one_was(browser: Browser, launch: Launch, program: Path) -> None:
    daemon = launch()
    with visit(browser, link_of(program, daemon)) as tab:
        page = tab.page
        page.goto(url(daemon, "#/concepts"))
        expect(page.get_by_role("heading", level=1, name="Concepts")).to_be_visible()
        port, home = pause_of(daemon)
        subprocess.run([program, "token", "--new", "--home", home], check=True, capture_output=True)
        daemon = launch(home, port=port)
        expect(page.get_by_role("heading", level=1, name="Log in")).to_be_visible()
        page.get_by_label("Paste the token").fill("0" * 64)
        page.get_by_role("button", name="Log in").click()
        expect(page.get_by_text("That is not the token")).to_be_visible()
        page.get_by_label("Paste the token").fill(daemon._address()[1])
        page.get_by_role("button", name="Log in").click()
        expect(page.get_by_role("heading", level=1, name="Concepts")).to_be_visible()


def test_five_hundred_pictures(browser: Browser, daemon: Daemon, program: Path, tmp_path: Path) -> None:
    for number in range(500):
        colour = (number % 256, number * 7 % 256, number // 2)
        Image.new("RGB", (96, 64), colour).save(tmp_path / f"{number:03}.png")
        (tmp_path / f"{number:03}.txt").write_text(f"<concept> number {number} on a table")
    dataset = daemon.upload(tmp_path)
    assert len(dataset["pictures"]) == 500
    with visit(browser, link_of(program, daemon)) as tab:
        page = tab.page
        page.goto(url(daemon, f"#/new/{dataset['id']}"))
        has_pixels(page, page.get_by_role("button", name="Look at 000.png").locator("img"))
        # What nobody has scrolled to is not loaded yet.
        assert sum("/thumbnails/" in request for request in tab.requests) < 250
        has_pixels(page, page.get_by_role("button", name="Look at 499.png").locator("img"))
        page.get_by_label("Name", exact=True).fill("Kojii")
        page.get_by_role("radio", name="Style").check()
        last = page.get_by_label("Caption of 499.png")
        last.scroll_into_view_if_needed()
        last.fill("<concept> at the end")
        page.get_by_text("Change many at once").click()
        page.get_by_label("Find", exact=True).fill("table")
        page.get_by_label("Replace with").fill("chair")
        page.get_by_role("button", name="Change 499 captions").click()
        expect(page.get_by_text("499 captions changed").first).to_be_visible()
        until(lambda: daemon.captions(dataset)["000.png"] == "<concept> number 0 on a chair")
        until(lambda: daemon.captions(dataset)["499.png"] == "<concept> at the end")


VIEWS = ["new", "new/DATASET", "training", "training/JOB", "concepts", "concepts/CONCEPT", "concepts/trash", "create"]
VIEWS += [f"settings/{name}" for name in ("hosts", "watches", "models", "captioners", "daemon", "doctor")]


@pytest.mark.parametrize(("theme", "width"), [("light", 1280), ("dark", 1280), ("light", 390), ("dark", 390)])
def test_every_view_can_be_used_by_everybody(
    browser: Browser, daemon: Daemon, comfyui: Path, program: Path, theme: str, width: int
) -> None:
    if not any(concept["name"] == toy.NAME for concept in daemon.concepts()):
        daemon.wait(toy.submit(daemon, daemon.upload(toy.PICTURES)))
    concept = next(concept for concept in daemon.concepts() if concept["job"])
    request = daemon.job(concept["job"])
    ids = {"DATASET": request["dataset"], "JOB": request["id"], "CONCEPT": concept["id"]}
    options = {"color_scheme": theme, "viewport": {"width": width, "height": 844}}
    with visit(browser, link_of(program, daemon), **options) as tab:
        page = tab.page
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        draft = {"name": toy.NAME, "mode": "object", "base": toy.BASE, "parameters": {}, "install": None}
        draft |= {"courtesy": None, "continueFrom": None}
        stored = json.dumps([f"conceptd.draft.{ids['DATASET']}", json.dumps(draft)])
        page.evaluate(f"localStorage.setItem(...{stored})")
        for view in VIEWS:
            place = view
            for name, id in ids.items():
                place = place.replace(name, id)
            page.goto(url(daemon, f"#/{place}"))
            page.reload()
            expect(page.get_by_role("heading", level=1)).to_be_visible()
            page.wait_for_load_state("networkidle")
            assert faults(page) == [], view
            assert not is_too_wide(page), view
            if PORTRAITS:
                page.screenshot(path=f"{PORTRAITS}/{view.replace('/', '-').lower()}-{theme}-{width}.png", full_page=True)
        assert tab.foreign(daemon) == []
