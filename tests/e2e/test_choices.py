"""What a user decides about pictures, snapshots, previews and settings, and that it counts."""

from __future__ import annotations

import io
import json
import tarfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import toy
from concept_client import Daemon
from conftest import Launch
from PIL import Image
from processes import until
from raw import Answer, send


def ask(daemon: Daemon, method: str, path: str, body: Any = None) -> Answer:
    """A request with a body of JSON."""
    headers = {"Content-Type": "application/json"} if body is not None else {}
    return send(daemon, method, path, headers, None if body is None else json.dumps(body).encode())


def answer(daemon: Daemon, method: str, path: str, body: Any = None, status: int = 200) -> Any:
    """What a request that must succeed answers."""
    got = ask(daemon, method, path, body)
    assert got.status == status, got.body
    return json.loads(got.body) if got.body else None


def wide_picture(path: Path) -> Path:
    """Twice as wide as high: red, green, blue and white, from left to right."""
    picture = Image.new("RGB", (512, 256))
    for place, colour in enumerate(["red", "lime", "blue", "white"]):
        picture.paste(colour, (place * 128, 0, place * 128 + 128, 256))
    picture.save(path)
    return path


@pytest.fixture(scope="module")
def trained(daemon: Daemon, dataset: dict) -> dict:
    """A concept of ten steps with a snapshot at five."""
    until(lambda: next(daemon.models())["sha256"])
    return daemon.wait(toy.submit(daemon, dataset))


class TestPictures:
    """Data sets."""

    def test_thumbnails_and_masks_are_small_and_upright(self, daemon: Daemon, tmp_path: Path) -> None:
        large = Image.new("RGB", (1000, 600), "red")
        exif = Image.Exif()
        exif[0x0112] = 6
        large.save(tmp_path / "a.jpg", exif=exif)
        Image.new("L", (600, 1000), 128).save(tmp_path / "a.mask.png")
        dataset = daemon.upload(tmp_path)
        [picture] = dataset["pictures"]
        assert (picture["width"], picture["height"], picture["mask"], picture["used"]) == (600, 1000, True, True)
        assert next(daemon.datasets())["cover"] == picture["sha256"]
        for kind, form in (("thumbnails", "JPEG"), ("masks", "PNG")):
            got = send(daemon, "GET", f"/v1/datasets/{dataset['id']}/{kind}/{picture['sha256']}")
            small = Image.open(io.BytesIO(got.body))
            assert (got.status, small.format, small.size) == (200, form, (307, 512))
        for path in ("thumbnails/" + "0" * 64, "thumbnails/..%2F..%2Ftoken", "masks/" + "0" * 64):
            assert send(daemon, "GET", f"/v1/datasets/{dataset['id']}/{path}").status == 404

    def test_what_is_left_out_is_not_learnt(self, daemon: Daemon) -> None:
        dataset = daemon.upload(toy.PICTURES)
        path = f"/v1/datasets/{dataset['id']}"
        changed = answer(daemon, "PATCH", path, {"pictures": {"02.png": {"used": False}, "05.png": {"used": False}}})
        assert [p["name"] for p in changed["pictures"] if not p["used"]] == ["02.png", "05.png"]
        plan = daemon.plan(dataset, toy.NAME, toy.BASE, toy.MODE, parameters=toy.PARAMETERS)
        assert plan["pictures"] == 4
        job = toy.submit(daemon, dataset)
        daemon.wait(job)
        planned = [event for event in daemon.events(job) if event["event"] == "planned"]
        assert planned[0]["pictures"] == 4
        # Back again, and nothing of the others has changed.
        changed = answer(daemon, "PATCH", path, {"pictures": {"02.png": {}}})
        assert [p["name"] for p in changed["pictures"] if not p["used"]] == ["05.png"]

    def test_a_crop_is_where_the_user_puts_it(self, daemon: Daemon, tmp_path: Path) -> None:
        wide_picture(tmp_path / "a.png")
        dataset = daemon.upload(tmp_path)
        path = f"/v1/datasets/{dataset['id']}"

        def colours() -> set[str]:
            """What lies inside the crop of the sheet of an examination: what is cut off is dimmed there."""
            answer(daemon, "POST", f"{path}/examine", {"mode": "object", "resolution": 128, "mask": "none"})
            sheet = Image.open(io.BytesIO(send(daemon, "GET", f"{path}/sheet").body)).convert("RGB")
            pixels = sheet.get_flattened_data() if hasattr(sheet, "get_flattened_data") else sheet.getdata()
            wanted = {"red": (255, 0, 0), "green": (0, 255, 0), "blue": (0, 0, 255)}
            found = {name: sum(1 for pixel in pixels if pixel == colour) for name, colour in wanted.items()}
            return {name for name, count in found.items() if count > 500}

        assert colours() == {"green", "blue"}
        answer(daemon, "PATCH", path, {"pictures": {"a.png": {"focus": [0.0, 0.5]}}})
        assert colours() == {"red", "green"}
        answer(daemon, "PATCH", path, {"pictures": {"a.png": {}}})
        assert colours() == {"green", "blue"}

    @pytest.mark.parametrize(
        ("pictures", "field"),
        [
            ({"x.png": {"used": False}}, "pictures.x.png"),
            ({"01.png": {"focus": [0.5, 1.5]}}, "pictures.01.png.focus[1]"),
            ({"01.png": {"focus": [0.5]}}, "pictures.01.png.focus"),
            ({"01.png": {"crop": 1}}, "pictures.01.png"),
        ],
    )
    def test_what_cannot_be_meant_is_named(self, daemon: Daemon, dataset: dict, pictures: dict, field: str) -> None:
        got = ask(daemon, "PATCH", f"/v1/datasets/{dataset['id']}", {"pictures": pictures})
        assert got.status == 422 and got.problem["field"].startswith(field), got.body

    def test_pictures_are_added_and_what_was_written_comes_along(self, daemon: Daemon, tmp_path: Path) -> None:
        dataset = daemon.upload([toy.PICTURES / "01.png", toy.PICTURES / "02.png"])
        daemon.set_captions(dataset, {"01.png": "mine"})
        answer(daemon, "PATCH", f"/v1/datasets/{dataset['id']}", {"pictures": {"02.png": {"used": False}}})

        def add(*files: tuple[str, bytes]) -> Any:
            form = b"".join(
                f'--x\r\nContent-Disposition: form-data; name="files"; filename="{name}"\r\n\r\n'.encode() + body + b"\r\n"
                for name, body in files
            )
            headers = {"Content-Type": "multipart/form-data; boundary=x"}
            got = send(daemon, "POST", f"/v1/datasets/{dataset['id']}/files", headers, form + b"--x--\r\n")
            assert got.status == 201, got.body
            return json.loads(got.body)

        both = add(("03.png", (toy.PICTURES / "03.png").read_bytes()), ("03.txt", b"a third"))
        assert both["id"] != dataset["id"]
        assert [(p["name"], p["caption"], p["used"]) for p in both["pictures"]] == [
            ("01.png", "mine", True),
            ("02.png", None, False),
            ("03.png", "a third", True),
        ]
        # A picture beside whose name a caption lies already, and one that was left out under another name.
        beside = add(("01.jpg", (toy.PICTURES / "05.png").read_bytes()), ("00.png", (toy.PICTURES / "02.png").read_bytes()))
        assert [(p["name"], p["caption"], p["used"]) for p in beside["pictures"]] == [
            ("01.png", "mine", True),
            ("02.png", None, False),
            ("added-1/01.jpg", None, True),
        ]
        # Other pictures of names that are taken.
        clash = add(("01.png", (toy.PICTURES / "04.png").read_bytes()), ("01.txt", b"another"))
        assert [(p["name"], p["caption"]) for p in clash["pictures"]] == [
            ("01.png", "mine"),
            ("02.png", None),
            ("added-1/01.png", "another"),
        ]
        assert len(daemon.dataset(dataset)["pictures"]) == 2

    def test_a_data_set_goes_to_the_trash_unless_it_is_needed(self, daemon: Daemon) -> None:
        dataset = daemon.upload(toy.PICTURES)
        job = toy.submit(daemon, dataset, steps=5000)
        daemon.pause(job)
        got = ask(daemon, "DELETE", f"/v1/datasets/{dataset['id']}")
        assert got.problem["code"] == "conflict" and toy.NAME in got.problem["detail"]
        daemon.cancel(job)
        until(lambda: daemon.job(job)["state"] == "cancelled")
        answer(daemon, "DELETE", f"/v1/datasets/{dataset['id']}", status=204)
        assert ask(daemon, "GET", f"/v1/datasets/{dataset['id']}").status == 404
        assert list(daemon.home.glob(f"trash/*/{dataset['id']}/01.png"))
        assert not (daemon.home / "thumbnails" / dataset["id"]).exists()


class TestConcepts:
    """Snapshots, previews, the trash."""

    def test_what_was_asked_and_kept_can_be_read(self, daemon: Daemon, dataset: dict, trained: dict) -> None:
        job = trained["job"]
        asked = answer(daemon, "GET", f"/v1/jobs/{job}/request")
        assert (asked["dataset"], asked["parameters"]["lora_rank"]) == (dataset["id"], 4)
        snapshots = answer(daemon, "GET", f"/v1/jobs/{job}/snapshots")
        assert [one["step"] for one in snapshots["items"]] == [5, 10] and snapshots["scores"] is None
        assert all(one["held_out"] > 0 for one in snapshots["items"])
        report = answer(daemon, "GET", f"/v1/concepts/{trained['id']}/report")
        assert report["verdict"] == trained["verdict"]

    def draw(self, daemon: Daemon, concept: str, **more: Any) -> bytes:
        """One picture with a concept."""
        request = {
            "prompt": "a photo of kojii",
            "concepts": [{"concept": concept, **more}],
            **{"width": 128, "height": 128, "steps": 4, "seed": 3},
        }
        made = answer(daemon, "POST", "/v1/creations", request, status=202)
        done = until(lambda: (c := daemon.creation(made["id"]))["state"] == "done" and c)
        return daemon.picture(done["pictures"][0])

    def test_a_snapshot_is_drawn_and_promoted(self, daemon: Daemon, trained: dict) -> None:
        delivered, early = self.draw(daemon, trained["id"]), self.draw(daemon, trained["id"], step=5)
        assert delivered != early and self.draw(daemon, trained["id"], step=10) == delivered
        path = f"/v1/concepts/{trained['id']}/promote"
        version = answer(daemon, "POST", path, {"step": 5}, status=201)
        assert (version["version"], version["step"], version["job"]) == (trained["version"] + 1, 5, trained["job"])
        assert version["stem"] != trained["stem"] and daemon.concept(trained["id"])["step"] == trained["step"]
        assert self.draw(daemon, version["id"]) == early
        names = tarfile.open(fileobj=io.BytesIO(send(daemon, "GET", f"/v1/concepts/{version['id']}/bundle").body))
        assert all(name.startswith(version["stem"]) for name in names.getnames())
        # Asking again makes nothing again, and what is delivered already is itself.
        assert answer(daemon, "POST", path, {"step": 5})["id"] == version["id"]
        assert answer(daemon, "POST", path, {"step": 10})["id"] == trained["id"]
        assert ask(daemon, "POST", path, {"step": 7}).problem["field"] == "step"
        refused = {"prompt": "x", "concepts": [{"concept": trained["id"], "step": 7}]}
        assert "step 7" in ask(daemon, "POST", "/v1/creations", refused).problem["detail"]

    def test_a_created_picture_becomes_the_preview(self, daemon: Daemon, trained: dict) -> None:
        picture = self.draw(daemon, trained["id"])
        creation = next(daemon.creations())["id"]
        path = f"/v1/concepts/{trained['id']}/preview"
        assert answer(daemon, "PUT", path, {"creation": creation})["preview"]
        assert send(daemon, "GET", path).body == picture
        assert ask(daemon, "PUT", path, {"creation": creation, "picture": 1}).problem["field"] == "picture"
        assert ask(daemon, "PUT", path, {"creation": "creation-1"}).problem["field"] == "creation"

    def test_a_creation_goes_to_the_trash(self, daemon: Daemon, trained: dict) -> None:
        self.draw(daemon, trained["id"])
        creation = next(daemon.creations())["id"]
        answer(daemon, "DELETE", f"/v1/creations/{creation}", status=204)
        assert ask(daemon, "GET", f"/v1/creations/{creation}").status == 404
        assert list(daemon.home.glob(f"trash/*/{creation}/1.png"))

    def test_a_concept_comes_back_from_the_trash(self, daemon: Daemon, trained: dict) -> None:
        bundle = send(daemon, "GET", f"/v1/concepts/{trained['id']}/bundle").body
        daemon.delete(trained)
        [thrown] = answer(daemon, "GET", "/v1/trash")["items"]
        assert (thrown["name"], thrown["stem"]) == (trained["name"], trained["stem"]) and thrown["bytes"] > len(bundle)
        restored = answer(daemon, "POST", f"/v1/trash/{thrown['id']}/restore", {})
        assert (restored["id"], restored["version"]) == (trained["id"], trained["version"])
        assert send(daemon, "GET", f"/v1/concepts/{trained['id']}/bundle").body == bundle
        assert answer(daemon, "GET", "/v1/trash")["items"] == []
        assert ask(daemon, "POST", f"/v1/trash/{thrown['id']}/restore", {}).status == 404

    def test_a_concept_that_came_back_is_as_old_as_it_was(self, daemon: Daemon, trained: dict) -> None:
        newer = answer(daemon, "POST", f"/v1/concepts/{trained['id']}/promote", {"step": 5})
        assert daemon.concept(toy.NAME)["id"] == newer["id"]
        daemon.delete(trained)
        [thrown] = answer(daemon, "GET", "/v1/trash")["items"]
        answer(daemon, "POST", f"/v1/trash/{thrown['id']}/restore", {})
        assert daemon.concept(toy.NAME)["id"] == newer["id"]

    def test_what_happens_at_once_happens_once(self, daemon: Daemon, trained: dict) -> None:
        path = f"/v1/concepts/{trained['id']}"
        with ThreadPoolExecutor(6) as pool:
            promoted = list(pool.map(lambda _: ask(daemon, "POST", f"{path}/promote", {"step": 5}).status, range(6)))
            assert set(promoted) <= {200, 201}
            deleted = list(pool.map(lambda _: ask(daemon, "DELETE", path).status, range(6)))
            assert set(deleted) <= {204, 404} and 204 in deleted
            [thrown] = answer(daemon, "GET", "/v1/trash")["items"]
            restore = f"/v1/trash/{thrown['id']}/restore"
            restored = list(pool.map(lambda _: ask(daemon, "POST", restore, {}).status, range(6)))
        assert sorted(restored) == [200, *[404] * 5]
        assert len([one for one in daemon.concepts() if one["job"] == trained["job"]]) == 2
        assert answer(daemon, "GET", "/v1/trash")["items"] == []

    def test_an_upload_cannot_pass_for_a_deleted_concept(self, daemon: Daemon, tmp_path: Path) -> None:
        for name in ("a.png", "b.png"):
            Image.new("RGB", (64, 64), name[0] == "a" and "red" or "blue").save(tmp_path / name)
        forged = {"at_ms": 1, "concept": {"view": {"id": str(tmp_path / "out")}}}
        (tmp_path / "deleted.json").write_text(json.dumps(forged))
        dataset = daemon.upload([tmp_path / "a.png", tmp_path / "b.png", tmp_path / "deleted.json"])
        answer(daemon, "DELETE", f"/v1/datasets/{dataset['id']}", status=204)
        assert answer(daemon, "GET", "/v1/trash")["items"] == []

    @pytest.mark.parametrize("killed", ["before moving", "before forgetting", "before restoring"])
    def test_a_kill_in_the_middle_is_finished(self, launch: Launch, trained: dict, daemon: Daemon, killed: str) -> None:
        other = launch()
        imported = other.import_concept(daemon.bundle(trained, other.home.parent / "b.tar"), "object")
        folder = other.home / "concepts" / imported["id"]
        other.delete(imported)
        [thrown] = answer(other, "GET", "/v1/trash")["items"]
        place = other.home / "trash" / thrown["id"]
        record = (place / "deleted.json").read_bytes()
        if killed != "before restoring":
            answer(other, "POST", f"/v1/trash/{thrown['id']}/restore", {})
        other.process.kill()
        other.process.wait(10)
        # As each kill leaves it.
        place.mkdir(exist_ok=True)
        (place / "deleted.json").write_bytes(record)
        if killed == "before forgetting":
            folder.rename(place / imported["id"])
        if killed == "before restoring":
            (place / imported["id"]).rename(folder)
        other = launch(other.home)
        listed = [one["id"] for one in other.concepts()]
        thrown = [one["name"] for one in answer(other, "GET", "/v1/trash")["items"]]
        if killed == "before forgetting":
            assert (listed, thrown) == ([], [imported["name"]])
        else:
            assert (listed, thrown) == ([imported["id"]], []) and (folder / f"{imported['stem']}.tar").is_file()

    def test_deleted_for_good_is_gone(self, daemon: Daemon, trained: dict) -> None:
        copy = answer(daemon, "POST", f"/v1/concepts/{trained['id']}/promote", {"step": 5})
        daemon.delete(copy)
        [thrown] = answer(daemon, "GET", "/v1/trash")["items"]
        answer(daemon, "DELETE", f"/v1/trash/{thrown['id']}", status=204)
        assert answer(daemon, "GET", "/v1/trash")["items"] == []
        assert not list(daemon.home.glob(f"trash/*/{copy['id']}"))
        for odd in ("..", "%2e%2e", "..%2Fdatasets"):
            assert ask(daemon, "DELETE", f"/v1/trash/{odd}").status in (404, 405)
        assert (daemon.home / "datasets").is_dir()


class TestSettings:
    """Settings and the doctor."""

    def test_changes_are_written_and_count_from_the_next_start(self, launch: Launch) -> None:
        daemon = launch(models=None)
        file = daemon.home / "config.toml"
        file.write_text("# mine\nkeep_alive = 300\nhost_idle = 3\n")
        before = {one["name"]: one for one in answer(daemon, "GET", "/v1/settings")["items"]}
        # It was written after the start.
        assert (before["host_idle"]["value"], before["host_idle"]["next"]) == (10, 3)
        assert before["port"]["origin"] == "flag" and not before["roots"]["changeable"]
        change = {"values": {"courtesy": "share", "limits.pictures": 9, "host_idle": None}}
        after = {one["name"]: one for one in answer(daemon, "PATCH", "/v1/settings", change)["items"]}
        assert (after["courtesy"]["value"], after["courtesy"]["next"]) == (None, "share")
        assert "next" not in after["host_idle"]
        assert file.read_text().startswith("# mine\n") and "host_idle" not in file.read_text()
        daemon.process.terminate()
        daemon.process.wait(10)
        daemon = launch(daemon.home, models=None)
        assert daemon.limits()["pictures"] == 9
        now = {one["name"]: one for one in answer(daemon, "GET", "/v1/settings")["items"]}
        assert (now["courtesy"]["value"], now["courtesy"]["origin"]) == ("share", "file")

    @pytest.mark.parametrize("name", ["address", "roots", "onnxruntime", "allowed_origins", "caption_endpoint", "nothing"])
    def test_what_opens_the_daemon_cannot_be_changed_from_a_page(self, daemon: Daemon, name: str) -> None:
        got = ask(daemon, "PATCH", "/v1/settings", {"values": {name: "x"}})
        assert got.problem["field"] == f"values.{name}" and not (daemon.home / "config.toml").exists()

    def test_changes_at_once_are_all_kept(self, launch: Launch) -> None:
        daemon = launch(models=None)
        names = ["host_idle", "keep_alive", "threads", "limits.pictures", "limits.queued_jobs", "worker_silence"]
        with ThreadPoolExecutor(6) as pool:
            list(pool.map(lambda name: answer(daemon, "PATCH", "/v1/settings", {"values": {name: 77}}), names))
        after = {one["name"]: one.get("next") for one in answer(daemon, "GET", "/v1/settings")["items"]}
        assert {name: after[name] for name in names} == dict.fromkeys(names, 77)

    def test_the_doctor_sees_what_the_daemon_was_started_with(self, daemon: Daemon, toy_base: Path) -> None:
        checks = answer(daemon, "GET", "/v1/doctor")["checks"]
        said = " ".join(check["found"] for check in checks)
        assert str(toy_base.parent) in said and {check["verdict"] for check in checks} <= {"ok", "warn", "fail"}
