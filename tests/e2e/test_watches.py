"""Watched folders: what is complete trains, once; half-copied files never do; the folder says what became of it."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import toy
from concept_client import ConceptdError, Daemon
from conftest import Launch
from processes import until, workers
from raw import send

QUIET = 1
# Over in a second or two: what is tested here is what leads to a training and what follows from it.
QUICK = {**toy.PARAMETERS, "steps": 2, "resolution": 64, "save_every": 2, "sample_every": 0}

Watch = Callable[..., dict]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder to be watched."""
    folder = tmp_path / "watched"
    folder.mkdir()
    return folder


@pytest.fixture
def watch(daemon: Daemon, folder: Path) -> Iterator[Watch]:
    """Watches it until the test is over."""
    made: list[dict] = []

    def watch(**request: Any) -> dict:
        made.append(daemon.watch(folder, **{"mode": "object", "base": toy.BASE, **quick(), **request}))
        return made[-1]

    yield watch
    for view in made:
        daemon.unwatch(view)


def quick(**parameters: Any) -> dict[str, Any]:
    """What makes a watched folder quick."""
    return {"quiet_seconds": QUIET, "rescan_seconds": 3600, "parameters": {**QUICK, **parameters}}


def pictures(to: Path, count: int = 6) -> Path:
    """Puts pictures with their prompts into a folder."""
    to.mkdir(parents=True, exist_ok=True)
    for file in sorted(toy.PICTURES.iterdir())[: count * 2]:
        shutil.copy(file, to / file.name)
    return to


def set_of(daemon: Daemon, view: dict, name: str) -> dict | None:
    """How a data set of a watched folder stands."""
    return next((found for found in daemon.watched(view)["sets"] if found["name"] == name), None)


def reached(daemon: Daemon, view: dict, name: str, state: str, seconds: float = 90) -> dict:
    """Waits until a data set stands so."""

    def stands() -> dict | None:
        found = set_of(daemon, view, name)
        assert state == "failed" or not found or found["state"] != "failed", found
        return found if found and found["state"] == state else None

    return until(stands, seconds, every=0.1)


def trained(daemon: Daemon, name: str) -> list[dict]:
    """The trainings of a name, oldest first."""
    return [job for job in daemon.jobs() if job["name"] == name][::-1]


def test_a_folder_trains_and_is_told(daemon: Daemon, watch: Watch, folder: Path) -> None:
    view = watch()
    assert (view["sets"], view["problem"], view["quiet_seconds"]) == ([], None, QUIET)
    pictures(folder / "face_Xander")
    done = reached(daemon, view, "face_Xander", "done")
    [job] = trained(daemon, "Xander")
    concept = daemon.concept(job["concept"])
    assert (done["job"], job["state"], concept["mode"], concept["version"]) == (job["id"], "done", "face", 1)
    assert "version 1" in done["text"]
    until((folder / "face_Xander/RESULT.md").is_file)
    text = (folder / "face_Xander/RESULT.md").read_text()
    print(text)
    for part in [
        "# Xander, version 1",
        f"- Verdict: {concept['verdict']}",
        f"    {concept['prompts']['comfyui']}\n",
        f"    {concept['prompts']['a1111']}\n",
        "(RESULT.preview.png)",
        f"`{concept['stem']}_lora.safetensors`",
        concept["id"],
        "## Installed",
    ]:
        assert part in text, part
    assert (folder / "face_Xander/RESULT.preview.png").read_bytes() == daemon.preview(concept)
    # What was written there is neither a change nor a picture.
    daemon.rescan(view)
    until(lambda: set_of(daemon, view, "face_Xander") == done, seconds=20)
    assert len(daemon.upload(folder / "face_Xander")["pictures"]) == 6
    assert not [file.name for file in folder.rglob(".conceptd-*")]
    assert len(trained(daemon, "Xander")) == 1


def test_a_slow_copy_trains_when_it_is_whole(daemon: Daemon, watch: Watch, folder: Path) -> None:
    view, begun = watch(quiet_seconds=2), time.monotonic()
    (folder / "slow").mkdir()

    def seen(count: int) -> bool:
        found = set_of(daemon, view, "slow")
        assert found is None or found["state"] == "settling", found
        return bool(found) and found["text"].startswith(f"{count} files so far")

    for count, file in enumerate(sorted(toy.PICTURES.iterdir()), 1):
        content = file.read_bytes()
        with (folder / "slow" / file.name).open("wb") as copy:
            copy.write(content[: len(content) // 2])
            copy.flush()
            until(lambda count=count: seen(count))
            copy.write(content[len(content) // 2 :])
    assert time.monotonic() - begun > 2 * view["quiet_seconds"], "this was to take far longer than being quiet"
    reached(daemon, view, "slow", "done")
    [job] = trained(daemon, "slow")
    assert len(daemon.dataset(job["dataset"])["pictures"]) == 6


def test_an_unfinished_name_holds_everything_up(daemon: Daemon, watch: Watch, folder: Path) -> None:
    view = watch()
    pictures(folder / "held")
    (folder / "held/7.png.crdownload").write_bytes(b"half")
    until(lambda: "7.png.crdownload" in (set_of(daemon, view, "held") or {"text": ""})["text"])
    # Long enough to have been taken for complete.
    for _ in range(2):
        daemon.rescan(view)
        until(lambda: "7.png.crdownload" in set_of(daemon, view, "held")["text"])
    assert not trained(daemon, "held")
    shutil.copy(next(toy.PICTURES.glob("*.png")), folder / "held/7.png.crdownload")
    (folder / "held/7.png.crdownload").rename(folder / "held/7.png")
    reached(daemon, view, "held", "done")
    assert len(trained(daemon, "held")) == 1


def test_half_a_zip_never_trains(daemon: Daemon, watch: Watch, folder: Path, kojii_zip: Path) -> None:
    view = watch()
    whole = kojii_zip.read_bytes()
    target, error = folder / "object_half.zip", folder / "object_half-ERROR.md"
    target.write_bytes(whole[: len(whole) // 2])
    failed = reached(daemon, view, target.name, "failed")
    assert "not whole" in failed["text"]
    until(error.is_file)
    assert "still being copied" in error.read_text()
    with target.open("ab") as file:
        file.write(whole[len(whole) // 2 :])
    until(lambda: set_of(daemon, view, target.name)["state"] == "done", seconds=90, every=0.1)
    until((folder / "object_half-RESULT.md").is_file)
    assert not error.exists()
    assert "(object_half-RESULT.preview.png)" in (folder / "object_half-RESULT.md").read_text()
    assert (folder / "object_half-RESULT.preview.png").is_file()
    assert [found["name"] for found in daemon.watched(view)["sets"]] == [target.name]
    [job] = trained(daemon, "half")
    assert len(daemon.dataset(job["dataset"])["pictures"]) == 6


def test_contents_train_once_and_changed_contents_again(daemon: Daemon, watch: Watch, folder: Path) -> None:
    view = watch()
    pictures(folder / "once")
    first = reached(daemon, view, "once", "done")
    before = {file.name: file.read_bytes() for file in (folder / "once").iterdir() if "RESULT" not in file.name}

    def looked_at_again(because: str) -> None:
        until(lambda: (set_of(daemon, view, "once") or {}).get("state") == "settling", every=0.02)
        again = reached(daemon, view, "once", "done")
        assert again["job"] == first["job"], because
        assert len(trained(daemon, "once")) == 1, because

    # The same files again, with new times.
    for name, content in before.items():
        (folder / "once" / name).write_bytes(content)
    looked_at_again("files that were copied again")
    # Away and back.
    shutil.move(folder / "once", folder.parent / "aside")
    until(lambda: set_of(daemon, view, "once") is None)
    # Without their times: with them, nothing would have to be read.
    shutil.copytree(folder.parent / "aside", folder / "once", copy_function=shutil.copy)
    looked_at_again("a folder that was away")
    # Watched anew, nothing of it is known but the keys.
    daemon.unwatch(view)
    assert daemon.watch(folder, "object", toy.BASE, **quick())["id"] == view["id"]
    again = reached(daemon, view, "once", "done")
    assert (again["job"], len(trained(daemon, "once"))) == (first["job"], 1)
    # A prompt is content.
    (folder / "once" / next(name for name in before if name.endswith(".txt"))).write_text("kojii asleep")
    until(lambda: len(trained(daemon, "once")) == 2, seconds=60)
    until(lambda: set_of(daemon, view, "once")["state"] == "done", seconds=90, every=0.1)
    old, new = trained(daemon, "once")
    assert [daemon.concept(job["concept"])["version"] for job in (old, new)] == [1, 2]
    until(lambda: "version 2" in (folder / "once/RESULT.md").read_text())
    # And back to what was: it is known.
    for name, content in before.items():
        (folder / "once" / name).write_bytes(content)
    until(lambda: set_of(daemon, view, "once")["job"] == first["job"], seconds=60)
    until(lambda: "version 1" in (folder / "once/RESULT.md").read_text())
    assert len(trained(daemon, "once")) == 2


def test_settings_of_a_data_set_and_mistakes_in_them(daemon: Daemon, watch: Watch, folder: Path) -> None:
    view = watch()
    own = pictures(folder / "face_wrong")
    (own / "concept.toml").write_text('mode = "stile"\n')
    failed = reached(daemon, view, "face_wrong", "failed")
    assert "concept.toml" in failed["text"] and "stile" in failed["text"]
    until((own / "ERROR.md").is_file)
    text = (own / "ERROR.md").read_text()
    print(text)
    assert "stile" in text and "`style`" in text and "tried again" in text
    mistakes = [("colour = 1", "colour"), ("[parameters]\nsteps = 0", "steps"), ('base = "nowhere"', "nowhere")]
    for wrong, part in mistakes:
        (own / "concept.toml").write_text(wrong)
        until(lambda part=part: part in set_of(daemon, view, "face_wrong")["text"], seconds=60)
        until(lambda part=part: part in (own / "ERROR.md").read_text())
    assert not trained(daemon, "wrong") and not trained(daemon, "Kojii II")
    (own / "concept.toml").write_text('name = "Kojii II"\nmode = "style"\n[parameters]\nsteps = 3\n')
    until(lambda: set_of(daemon, view, "face_wrong")["state"] == "done", seconds=90, every=0.1)
    [job] = trained(daemon, "Kojii II")
    assert (job["mode"], job["steps"]) == ("style", 3)
    until((own / "RESULT.md").is_file)
    assert not (own / "ERROR.md").exists()


def test_names_of_folders_say_mode_and_name(daemon: Daemon, watch: Watch, folder: Path, kojii_zip: Path) -> None:
    view = watch(mode="face")
    pictures(folder / "style-ink")
    pictures(folder / "object thing")
    pictures(folder / "style" / "wash")
    pictures(folder / "plain")
    (folder / "object").mkdir()
    shutil.copy(kojii_zip, folder / "object" / "boxed.zip")
    names = ["object thing", "object/boxed.zip", "plain", "style-ink", "style/wash"]
    until(lambda: [found["name"] for found in daemon.watched(view)["sets"]] == names)
    for name in names:
        reached(daemon, view, name, "done", seconds=120)
    modes = {job["name"]: job["mode"] for job in daemon.jobs()}
    expected = {"ink": "style", "thing": "object", "wash": "style", "plain": "face", "boxed": "object"}
    assert {name: modes[name] for name in expected} == expected
    until((folder / "object/boxed-RESULT.md").is_file)


def test_a_failed_training_is_told_and_tried_again_on_demand(daemon: Daemon, watch: Watch, folder: Path) -> None:
    view = watch(**quick(steps=5000, save_every=5000))
    pictures(folder / "stopped")
    training = reached(daemon, view, "stopped", "training")
    daemon.cancel(training["job"])
    failed = reached(daemon, view, "stopped", "failed")
    assert "cancelled" in failed["text"]
    until((folder / "stopped/ERROR.md").is_file)
    daemon.rescan(view)
    until(lambda: len(trained(daemon, "stopped")) == 2)
    again = reached(daemon, view, "stopped", "training")
    assert again["job"] != training["job"]
    assert not (folder / "stopped/ERROR.md").exists()
    daemon.cancel(again["job"])
    reached(daemon, view, "stopped", "failed")
    until(lambda: not workers(daemon.process.pid))


def test_what_cannot_be_told_is_a_problem_and_no_crash(daemon: Daemon, watch: Watch, folder: Path) -> None:
    view = watch()
    # As a folder that may not be written into; that is no hindrance for whoever may do everything.
    mine = "my own remarks"
    (pictures(folder / "mute") / "RESULT.md").write_text(mine)
    reached(daemon, view, "mute", "done")
    problem = until(lambda: daemon.watched(view)["problem"])
    assert "RESULT.md" in problem and "rename it" in problem
    assert (folder / "mute/RESULT.md").read_text() == mine
    (folder / "mute/RESULT.md").rename(folder / "mute/remarks.md")
    daemon.rescan(view)
    until(lambda: daemon.watched(view)["problem"] is None)
    assert "# mute, version" in (folder / "mute/RESULT.md").read_text()
    shutil.copy(next(toy.PICTURES.glob("*.png")), folder / "loose.png")
    until(lambda: "loose.png" in (daemon.watched(view)["problem"] or ""))


def test_a_folder_that_goes_away_goes_on_when_it_is_back(daemon: Daemon, watch: Watch, folder: Path) -> None:
    view = watch(rescan_seconds=1)
    pictures(folder / "travelling")
    done = reached(daemon, view, "travelling", "done")
    folder.rename(folder.with_name("elsewhere"))
    until(lambda: "not there" in (daemon.watched(view)["problem"] or ""))
    assert set_of(daemon, view, "travelling") == done, "what was known still stands"
    pictures(folder.with_name("elsewhere") / "souvenir")
    folder.with_name("elsewhere").rename(folder)
    until(lambda: daemon.watched(view)["problem"] is None)
    reached(daemon, view, "souvenir", "done")
    assert len(trained(daemon, "travelling")) == 1


@pytest.mark.parametrize("moment", ["settling", "reading", "surveyed", "queued", "training", "drawing", "over"])
def test_a_daemon_killed_at_any_moment_trains_once(launch: Launch, folder: Path, moment: str) -> None:
    daemon = launch()
    view = daemon.watch(folder, "object", toy.BASE, **quick(steps=20, save_every=10))
    home = daemon.home
    pictures(folder / "struck")

    def files(kind: str) -> bool:
        return any((home / kind).glob("*/*"))

    def job_state() -> str | None:
        return next((job["state"] for job in daemon.jobs()), None)

    reached_moment: dict[str, Callable[[], object]] = {
        "settling": lambda: set_of(daemon, view, "struck"),
        "reading": lambda: files("staging") or files("datasets"),
        "surveyed": lambda: files("datasets"),
        "queued": lambda: job_state() is not None,
        "training": lambda: any(job["step"] > 2 for job in daemon.jobs()),
        "drawing": lambda: any(job["stage"] == "drawing" or job["state"] == "done" for job in daemon.jobs()),
        "over": lambda: job_state() == "done",
    }
    until(reached_moment[moment], seconds=60, every=0.001)
    daemon.process.kill()
    daemon.process.wait()
    launch(home)
    done = reached(daemon, view, "struck", "done", seconds=120)
    until((folder / "struck/RESULT.md").is_file)
    [job] = daemon.jobs()
    [concept] = daemon.concepts()
    assert (done["job"], job["concept"]) == (job["id"], concept["id"])
    assert len(list(daemon.datasets())) == 1 and len(list((home / "datasets").iterdir())) == 1
    assert not any((home / "staging").glob("*"))
    # And nothing follows.
    daemon.rescan(view)
    until(lambda: set_of(daemon, view, "struck") == done, seconds=20)
    assert len(list(daemon.jobs())) == 1


def test_folders_that_cannot_be_watched_are_refused(daemon: Daemon, watch: Watch, folder: Path) -> None:
    view = watch()
    for other, part in [
        (folder, "watched already"),
        (folder.parent, "overlap"),
        (folder / "inside", "overlap"),
        (daemon.home, "own folder"),
        (daemon.home / "datasets", "own folder"),
        (daemon.home.parent, "own folder"),
        (folder.parent / "nowhere", "cannot be watched"),
        (toy.unpack_base(folder.parent / "file"), "no folder"),
    ]:
        (folder / "inside").mkdir(exist_ok=True)
        (daemon.home / "datasets").mkdir(exist_ok=True)
        with pytest.raises(ConceptdError) as refusal:
            daemon.watch(other, "object", toy.BASE)
        assert (refusal.value.status, refusal.value.field) == (422, "folder"), other
        assert part in str(refusal.value), (other, refusal.value)
    (folder.parent / "free").mkdir()
    for request, field in [
        ({"base": "nowhere"}, "base"),
        ({"parameters": {"steps": 5, "time_budget": 5}}, "parameters.time_budget"),
        ({"parameters": {"resolution": 65}}, "parameters.resolution"),
        ({"quiet_seconds": 0}, "quiet_seconds"),
    ]:
        with pytest.raises(ConceptdError) as refusal:
            daemon.watch(folder.parent / "free", **{"mode": "object", "base": toy.BASE, **request})
        assert (refusal.value.status, refusal.value.field) == (422, field)
    with pytest.raises(ConceptdError, match="whole path"):
        daemon._http.json("POST", "/v1/watches", {"folder": "here", "mode": "face", "base": toy.BASE})
    assert [found["id"] for found in daemon.watches()] == [view["id"]]
    assert send(daemon, "GET", "/v1/watches/watch-0").status == 404


def test_the_command(daemon: Daemon, program: Path, folder: Path) -> None:
    def conceptd(*arguments: object, code: int = 0) -> str:
        command = [program, "watches", *map(str, arguments), "--home", daemon.home]
        done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8")
        assert done.returncode == code, done.stderr
        return done.stdout if code == 0 else done.stderr

    assert "no folder is watched" in conceptd()
    flags = ["--quiet-seconds", "1", "--steps", "2", "--resolution", "64", "--batch-size", "2"]
    added = json.loads(conceptd("add", folder, "--mode", "style", "--base", toy.BASE, *flags, "--install", "--json"))
    assert (added["install"], added["folder"], added["parameters"]["steps"]) == (["all"], str(folder), 2)
    assert json.loads(conceptd("--json"))["items"] == [added]
    assert str(folder) in conceptd("list")
    (folder / "empty").mkdir()
    until(lambda: "no pictures in it yet" in conceptd("show", folder), every=0.2)
    assert "empty" in conceptd("rescan", added["id"])
    assert "overlap" in conceptd("add", folder.parent, "--mode", "face", "--base", toy.BASE, code=2)
    assert "is not watched" in conceptd("remove", "nothing", code=1)
    conceptd("remove", folder)
    assert daemon.watches() == []
