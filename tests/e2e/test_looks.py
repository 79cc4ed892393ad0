"""Looking at pictures before they are learnt: described, examined, edited, and what comes of that in a training."""

from __future__ import annotations

import io
import json
import os
import random
import shutil
import subprocess
import tarfile
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import toy
from concept_client import ConceptdError, Daemon
from conftest import Launch
from PIL import Image

TAGGER = toy.TOY / "tagger"
SEEN = {"01": "grass background", "02": "brick wall", "05": "beach"}


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pictures without their prompts."""
    folder = tmp_path_factory.mktemp("bare")
    for picture in toy.PICTURES.glob("*.png"):
        shutil.copy(picture, folder)
    return folder


@pytest.fixture(scope="module")
def home(program: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home in which the tagger is installed."""
    home = tmp_path_factory.mktemp("seeing") / "conceptd"
    told = run(program, home, "models", "add", TAGGER)
    assert "tagger is installed" in told.stdout
    return home


@pytest.fixture(scope="module")
def daemon(launch: Launch, home: Path) -> Daemon:
    """A daemon that can see."""
    assert "ORT_DYLIB_PATH" in os.environ, "`cargo xtask test` names the library of ONNX Runtime"
    return launch(home)


def run(program: Path, home: Path, *arguments: Any, code: int = 0) -> subprocess.CompletedProcess[str]:
    """Runs a command."""
    command = [str(part) for part in (program, *arguments, "--home", home)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == code, done.stderr
    return done


def by_picture(told: Any) -> dict[str, Any]:
    """Captions by the stem of their picture."""
    return {item["picture"].split(".")[0]: item for item in told["items"]}


def test_a_captioner_describes_what_nobody_described_and_edits_stay(daemon: Daemon, bare: Path) -> None:
    assert [(one["id"], one["purpose"], one["problem"]) for one in daemon.captioners()] == [("tagger", "tagger", None)]
    made = daemon.upload(bare)
    assert set(daemon.captions(made).values()) == {None}
    told = daemon.describe(made, "object", "kojii", class_word="creature")
    captions = by_picture(told)
    assert len(captions) == 6
    for stem, words in SEEN.items():
        one = captions[stem]
        assert (one["origin"], one["described"]["by"]) == ("model", "tagger")
        assert one["text"].startswith("<concept>") and words in one["text"] and "creature" not in one["text"]
        assert "creature" in one["described"]["raw"] and one["described"]["changes"]
    # What a user writes counts, also when all is described anew; a prompt that was taken away stays away.
    [first, second] = [captions[stem]["picture"] for stem in ("01", "02")]
    daemon.set_captions(made, {first: "kojii on a lawn", second: None})
    again = by_picture(daemon.describe(made, "object", "kojii", class_word="creature", again=True))
    assert (again["01"]["text"], again["01"]["origin"]) == ("kojii on a lawn", "edited")
    assert again["02"]["text"] is None and again["01"]["described"] is not None
    assert again["05"] == captions["05"] and daemon.caption_sources(made)["items"] == list(again.values())
    plan = daemon.plan(made, "kojii", toy.BASE, toy.MODE, parameters=toy.PARAMETERS)
    assert [one["origin"] for one in plan["captions"]] == ["edited", "edited", "model", "model", "model", "model"]
    assert [w["text"][:9] for w in plan["warnings"] if w["code"] == "captions_missing"] == ["1 picture"]


def test_some_pictures_are_described_and_the_others_keep_what_they_have(daemon: Daemon, bare: Path) -> None:
    made = daemon.upload(bare)
    told = by_picture(daemon.describe(made, "object", "kojii", pictures=["02.png"]))
    assert [stem for stem, one in told.items() if one["origin"] == "model"] == ["02"] and len(told) == 6
    again = by_picture(daemon.describe(made, "object", "kojii", pictures=["02.png"], again=True, leave_out=["brick wall"]))
    assert "brick" in told["02"]["text"] and "brick" not in again["02"]["text"] and again["01"]["text"] is None
    with pytest.raises(ConceptdError, match=r"no picture `x\.png`"):
        daemon.describe(made, "object", pictures=["x.png"])


def test_what_lies_beside_a_picture_is_never_described(daemon: Daemon) -> None:
    made = daemon.upload(toy.PICTURES)
    before = daemon.captions(made)
    told = daemon.describe(made, "object", "kojii")
    assert {one["origin"] for one in told["items"]} == {"beside"} and daemon.captions(made) == before


def test_a_training_of_bare_pictures_learns_what_the_tagger_says(daemon: Daemon, bare: Path, tmp_path: Path) -> None:
    made = daemon.upload(bare)
    job = toy.submit(daemon, made, name="seen", class_word="creature", steps=2, sample_prompt=["a photo of <concept>"])
    concept = daemon.wait(job)
    notes = [event["text"] for event in daemon.events(job) if event["event"] == "note"]
    assert "6 pictures were described by tagger" in notes
    learnt = json.loads(metadata(daemon.bundle(concept, tmp_path / "seen.tar"))["conceptd.captions"])
    assert len(learnt) == 6 and any("grass background" in one for one in learnt)
    assert all(one.count("<concept>") == 1 for one in learnt)
    # Who wants no captioner gets the mode's prompt.
    job = toy.submit(daemon, made, name="unseen", captioner="none", steps=1)
    unseen = metadata(daemon.bundle(daemon.wait(job), tmp_path / "unseen.tar"))
    assert set(json.loads(unseen["conceptd.captions"])) == {"a photo of <concept>"}


def metadata(bundle: Path) -> dict[str, str]:
    """What a bundle's LoRA says of itself."""
    with tarfile.open(bundle) as archive:
        [name] = [name for name in archive.getnames() if name.endswith("_lora.safetensors")]
        file = archive.extractfile(name)
        assert file is not None
        length = int.from_bytes(file.read(8), "little")
        return json.loads(file.read(length))["__metadata__"]


def test_an_examination_says_what_is_wrong_and_shows_it(daemon: Daemon, bare: Path, tmp_path: Path) -> None:
    folder = tmp_path / "set"
    shutil.copytree(bare, folder)
    shutil.copy(bare / "01.png", folder / "again.png")
    with Image.open(bare / "01.png") as picture:
        picture.resize((120, 120)).save(folder / "nearly the same.png")
    made = daemon.upload(folder)
    with pytest.raises(ConceptdError) as refused:
        daemon.report(made)
    assert refused.value.status == 404
    report = daemon.examine(made, "object", "kojii", resolution=512, crop="salience")
    assert report == daemon.report(made)
    codes = {finding["code"]: finding for finding in report["findings"]}
    assert len(report["pictures"]) == 7, "the same picture twice is left out"
    assert codes["near_duplicate"]["pictures"] == ["01.png", "nearly the same.png"]
    assert "below_resolution" in codes and "captions_missing" in codes
    for finding in report["findings"]:
        assert finding["message"] and finding["advice"] and finding["severity"] in ("info", "warning", "serious")
    with Image.open(io.BytesIO(daemon.sheet(made))) as sheet:
        assert sheet.format == "PNG" and min(sheet.size) > 200
    plan = daemon.plan(made, "kojii", toy.BASE, toy.MODE, parameters=toy.PARAMETERS)
    assert plan["findings"] == report["findings"]
    # Nobody is at it: nothing to end.
    daemon.stop_looking(made)
    assert daemon.dataset(made)["looked_at"] is None


def test_what_cannot_be_looked_with_is_named(launch: Launch, program: Path, bare: Path, tmp_path: Path) -> None:
    home = tmp_path / "conceptd"
    daemon = launch(home)
    made = daemon.upload(bare)
    told = daemon.describe(made, "object")
    assert {one["origin"] for one in told["items"]} == {"nobody"}
    assert any("no captioner is installed" in note and "conceptd models add" in note for note in told["notes"])
    with pytest.raises(ConceptdError) as refused:
        daemon.describe(made, "object", captioner="wd14")
    assert (refused.value.field, "there is no captioner `wd14`" in str(refused.value)) == ("captioner", True)
    # A model that is damaged behind our back costs nothing but its captions.
    damaged = tmp_path / "tagger"
    shutil.copytree(TAGGER, damaged)
    run(program, home, "models", "add", damaged)
    bytes_ = bytearray((damaged / "model.onnx").read_bytes())
    bytes_[100:50_000] = os.urandom(49_900)
    (damaged / "model.onnx").write_bytes(bytes_)
    assert "tagger" in run(program, home, "models", "verify", code=1).stdout
    told = daemon.describe(made, "object")
    assert {one["origin"] for one in told["items"]} == {"nobody"} and told["notes"]
    with pytest.raises(ConceptdError) as refused:
        daemon.describe(made, "object", captioner="tagger")
    assert "model.onnx" in str(refused.value)
    # Whatever the damage, it is said, and nobody goes down for it.
    rng = random.Random(11)
    for number in range(24):
        for name in ("model.onnx", "selected_tags.csv"):
            bytes_ = bytearray((TAGGER / name).read_bytes())
            if name == "model.onnx" or number % 2:
                for at in rng.sample(range(len(bytes_)), rng.choice([1, 8, 200])):
                    bytes_[at] = rng.randrange(256)
            (damaged / name).write_bytes(bytes_)
        told = daemon.describe(made, "object", again=True)
        assert told["notes"] or {one["origin"] for one in told["items"]} == {"model"}
    assert daemon.is_running()


def test_a_folder_is_described_and_edits_survive(program: Path, home: Path, bare: Path, tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    shutil.copytree(bare, folder)
    (folder / "03.txt").write_text("mine\n")
    look = ("captions", folder, "--mode", "object", "--name", "kojii", "--class-word", "creature", "--captioner")
    assert "grass background" in run(program, home, *look).stdout and not (folder / "01.txt").exists()
    run(program, home, *look, "--write")
    assert "grass background" in (folder / "01.txt").read_text() and (folder / "03.txt").read_text() == "mine\n"
    (folder / "01.txt").write_text("edited\n")
    (folder / "02.txt").unlink()
    run(program, home, *look, "--write", "--again")
    texts = {path.stem: path.read_text().strip() for path in folder.glob("*.txt")}
    assert (texts["01"], texts["03"]) == ("edited", "mine") and "brick wall" in texts["02"]
    report = json.loads(run(program, home, *look, "--report", "--json", "--sheet", tmp_path / "s.png").stdout)
    assert len(report["pictures"]) == 6 and (tmp_path / "s.png").stat().st_size > 10_000
    listed = json.loads(run(program, home, "captions", folder, "--json").stdout)
    assert listed["captions"]["01.png"] == "edited"


def test_one_caption_is_crafted(program: Path, home: Path) -> None:
    text = "The image shows a young woman with red hair standing in front of a brick wall."
    done = run(program, home, "captions", "--craft", text, "--name", "Xander", "--mode", "face")
    assert done.stdout == "<concept> standing in front of a brick wall\n"
    assert "a young woman" in done.stderr


@pytest.fixture
def server() -> Iterator[tuple[str, list[Any]]]:
    """A server that describes pictures as it is told: with a text, or with a status where that is a number."""
    answers: list[Any] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
            answer = answers[0](asked) if callable(answers[0]) else answers[0]
            status, text = (answer, "") if isinstance(answer, int) else (200, answer)
            body = json.dumps({"choices": [{"message": {"role": "assistant", "content": text}}]}).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Says nothing."""

    listener = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=listener.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{listener.server_port}/v1", answers
    listener.shutdown()


def test_a_server_may_describe_and_the_tagger_stands_in(
    launch: Launch, program: Path, bare: Path, tmp_path: Path, server: tuple[str, list[Any]]
) -> None:
    url, answers = server
    home = tmp_path / "conceptd"
    run(program, home, "models", "add", TAGGER)
    (home / "config.toml").write_text(f'caption_endpoint = "{url}"\ncaption_model = "looker"\n')
    daemon = launch(home)
    made = daemon.upload(bare)
    asked: list[Any] = []
    answers[:] = [lambda request: asked.append(request) or "A small creature sitting on a lawn."]
    told = by_picture(daemon.describe(made, "object", class_word="creature"))
    assert told["01"]["text"] == "<concept> sitting on a lawn" and told["01"]["described"]["by"] == "endpoint"
    assert (asked[0]["model"], len(asked)) == ("looker", 6)

    # What it is asked to make smoother must still name the concept once.
    def rewritten(request: Any) -> str:
        texts = [json.dumps("a lawn, and CONCEPT on it")] * 5 + ['"no concept"']
        return f"[{', '.join(texts)}]" if "Rewrite" in json.dumps(request) else "A creature on a lawn."

    answers[:] = [rewritten]
    told = daemon.describe(made, "object", class_word="creature", again=True, rewrite=True)
    texts = [item["text"] for item in told["items"]]
    assert sorted(set(texts)) == ["<concept> on a lawn", "a lawn, and <concept> on it"] and texts[-1] == "<concept> on a lawn"
    assert any("1 captions were not rewritten" in note for note in told["notes"])
    # Gone: asked three times in a row, and no more.
    answers[:] = [500]
    told = daemon.describe(made, "object", class_word="creature", again=True)
    assert {item["described"]["by"] for item in told["items"]} == {"tagger"}
    assert sum("endpoint could not describe it" in note for note in told["notes"]) == 3


def test_the_last_snapshots_are_scored_at_three_strengths(launch: Launch, program: Path, tmp_path: Path) -> None:
    home = tmp_path / "conceptd"
    # Random numbers in the form of CLIP: it judges, however badly.
    run(program, home, "models", "add", toy.TOY.parent / "captioners" / "clip")
    daemon = launch(home)
    job = toy.submit(daemon, daemon.upload(toy.PICTURES))
    daemon.wait(job)
    [scores] = [event["scores"] for event in daemon.events(job) if event["event"] == "scored"]
    assert [(row["step"], row["strength"]) for row in scores["rows"]] == [
        (step, strength) for step in (5, 10) for strength in (0.5, 0.75, 1.0)
    ]
    assert all(-1 <= row[measure] <= 1 for row in scores["rows"] for measure in ("likeness", "obedience"))
    assert scores["best"] == max(scores["rows"], key=lambda row: row["total"])
    report = json.loads((home / "jobs" / job["id"] / "out" / "kojii.json").read_text())
    assert report["scores"] == scores


def test_a_captioning_shows_how_far_it_is_and_can_be_ended(
    launch: Launch, tmp_path: Path, server: tuple[str, list[Any]]
) -> None:
    url, answers = server
    home = tmp_path / "conceptd"
    home.mkdir(mode=0o700)
    (home / "config.toml").write_text(f'caption_endpoint = "{url}"\ncaption_model = "slow"\n')
    daemon = launch(home)
    # Far more than can be looked at while the wish is on its way.
    many = tmp_path / "many"
    many.mkdir()
    for number in range(300):
        Image.effect_noise((48, 48), 20 + number / 2).convert("RGB").save(many / f"{number:03}.png")
    made = daemon.upload(many)
    asked, go_on = threading.Event(), threading.Event()

    def slow(request: Any) -> str:
        asked.set()
        assert go_on.wait(60)
        return "A creature on a lawn."

    answers[:] = [slow]
    told: list[Any] = []
    thread = threading.Thread(target=lambda: told.append(daemon.describe(made, "object")))
    thread.start()
    assert asked.wait(60) and daemon.dataset(made)["looked_at"] is not None
    with pytest.raises(ConceptdError) as refused:
        daemon.examine(made, "object")
    assert refused.value.status == 409
    daemon.stop_looking(made)
    go_on.set()
    thread.join(60)
    # What was described by then is kept.
    described = [item for item in told[0]["items"] if item["origin"] == "model"]
    assert 0 < len(described) < 300 and any("stopped after" in note for note in told[0]["notes"])
    assert daemon.dataset(made)["looked_at"] is None and daemon.caption_sources(made)["items"] == told[0]["items"]
