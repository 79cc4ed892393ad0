"""The main journey through the Python client: pictures go in, a concept comes out, and is used, renamed and deleted."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import toy
from concept_client import ConceptdError, Daemon
from conftest import Launch
from processes import until

PNG = b"\x89PNG\r\n\x1a\n"


class CuttingProxy:
    """Passes bytes on to a daemon, and cuts every connection after some."""

    def __init__(self, port: int, cut_after: int) -> None:
        self._port, self._cut_after, self.cuts = port, cut_after, 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client, socket.create_connection(("127.0.0.1", self._port)) as daemon:
            daemon.sendall(client.recv(1 << 16))
            left = self._cut_after
            while left and (part := daemon.recv(left)):
                client.sendall(part)
                left -= len(part)
            self.cuts += not left

    def close(self) -> None:
        """Takes no more connections."""
        self._listener.close()


@pytest.fixture(scope="module")
def journey(daemon: Daemon, kojii_zip: Path) -> dict:
    """Uploads an archive, submits its training twice with one key, and listens over a line that keeps dropping."""
    dataset = daemon.upload(kojii_zip)
    plan = daemon.plan(dataset, toy.NAME, toy.BASE, toy.MODE, parameters=toy.PARAMETERS)
    first = toy.submit(daemon, dataset, key="journey")
    second = toy.submit(daemon, dataset, key="journey")
    url = daemon._address()[0]
    # One cut falls into the middle of an event sooner or later.
    proxy = CuttingProxy(int(url.rpartition(":")[2]), cut_after=1111)
    try:
        heard = list(Daemon(url=proxy.url, token=daemon._address()[1]).events(first))
    finally:
        proxy.close()
    job = daemon.job(first)
    return {"dataset": dataset, "plan": plan, "jobs": (first, second), "heard": heard, "cuts": proxy.cuts, "job": job}


@pytest.fixture(scope="module")
def concept(journey: dict, daemon: Daemon) -> dict:
    """What the journey made."""
    assert journey["job"]["state"] == "done", journey["job"]["failure"]
    return daemon.concept(journey["job"]["concept"])


def test_plan_says_exactly_what_is_run(journey: dict) -> None:
    plan = journey["plan"]
    assert (plan["stem"], plan["pictures"], plan["steps"]) == ("kojii", 6, toy.PARAMETERS["steps"])
    assert plan["request"]["parameters"] == toy.PARAMETERS
    assert plan["memory_bytes"] > 1 << 20
    assert {advice["code"] for advice in plan["warnings"]} == {"base_nonstandard"}
    assert all(decision["why"] for decision in plan["resolved"])


def test_a_key_makes_one_job(journey: dict, daemon: Daemon, dataset: dict) -> None:
    first, second = journey["jobs"]
    assert first["id"] == second["id"]
    with pytest.raises(ConceptdError) as refusal:
        toy.submit(daemon, dataset, key="journey", seed=8)
    assert (refusal.value.status, refusal.value.code) == (409, "conflict")


def test_no_event_is_lost_or_doubled_over_dropped_connections(journey: dict, daemon: Daemon) -> None:
    assert journey["cuts"] > 1
    assert journey["heard"] == list(daemon.events(journey["job"]))
    last = toy.PARAMETERS["steps"]
    assert [e["step"] for e in journey["heard"] if e["event"] == "step"] == list(range(1, last + 1))
    assert journey["heard"][-1]["state"] == "done"


def test_events_go_on_behind_the_last_one(journey: dict, daemon: Daemon) -> None:
    middle = journey["heard"][len(journey["heard"]) // 2]
    behind = [event for event in journey["heard"] if event["id"] > middle["id"]]
    assert list(daemon.events(journey["job"], last_event_id=middle["id"])) == behind
    assert list(daemon.events(journey["job"], last_event_id=journey["heard"][-1]["id"])) == []


def test_samples_curve_and_log(journey: dict, daemon: Daemon) -> None:
    samples = daemon.samples(journey["job"])
    assert samples and all(daemon.picture(sample["url"]).startswith(PNG) for sample in samples)
    curve = daemon.loss(journey["job"])
    assert [point["step"] for point in curve["training"]] == list(range(1, toy.PARAMETERS["steps"] + 1))
    assert [point["step"] for point in curve["held_out"]] == [5, 10]
    assert isinstance(daemon.log(journey["job"]), str)


def test_the_bundle_is_that_of_the_command_line(
    concept: dict, daemon: Daemon, reference: bytes, tmp_path: Path
) -> None:
    assert toy.bundle_bytes(daemon, concept, tmp_path) == reference
    assert daemon.bundle(concept, tmp_path).name == "kojii.tar"


def test_the_concept_is_described(concept: dict, daemon: Daemon, journey: dict) -> None:
    assert (concept["name"], concept["version"], concept["stem"], concept["source"]) == ("kojii", 1, "kojii", "trained")
    assert concept["job"] == journey["job"]["id"]
    assert concept["base_sha256"] == next(daemon.models())["sha256"]
    assert daemon.preview(concept).startswith(PNG)


def test_pictures_are_made_with_it(concept: dict, daemon: Daemon) -> None:
    size = {"width": 128, "height": 128, "steps": 2, "count": 2, "seed": 3}
    pictures = daemon.create("kojii on a beach", [(concept["name"], 0.9)], **size)
    assert len(pictures) == 2 and all(picture.startswith(PNG) for picture in pictures)
    assert pictures[0] != pictures[1]
    newest = next(daemon.creations())
    assert newest["state"] == "done" and newest["request"]["seed"] == 3
    # The same seed draws the same, and another picture to start from something else.
    again = daemon.create("kojii on a beach", [(concept["name"], 0.9)], **{**size, "count": 1})
    assert again == pictures[:1]
    begun = daemon.create("kojii on a beach", [concept], init_image=pictures[1], **{**size, "count": 1})
    assert begun[0].startswith(PNG) and begun != again


@pytest.mark.parametrize(
    ("host", "text", "loras"),
    [
        ("comfyui", "embedding:kojii_embeddings on a beach", [{"concept": "kojii_lora", "strength": 0.5}]),
        ("a1111", "kojii_embeddings on a beach <lora:kojii_lora:0.5>", []),
    ],
)
def test_prompts_for_hosts(concept: dict, daemon: Daemon, host: str, text: str, loras: list) -> None:
    for given in ("<Kojii> on a beach", "<concept> on a beach", "kojii on a beach"):
        wanted = {"text": text, "loras": loras, "called": [concept["id"]]}
        assert daemon.expand_prompt(given, host, [(concept["id"], 0.5)]) == wanted


@pytest.fixture(scope="module")
def second(concept: dict, daemon: Daemon, dataset: dict) -> Iterator[dict]:
    """A second concept of the same name, in two steps."""
    yield daemon.wait(toy.submit(daemon, dataset, steps=2, sample_every=0, save_every=2))


def test_a_second_of_the_name_is_a_version(second: dict, concept: dict, daemon: Daemon, tmp_path: Path) -> None:
    assert (second["name"], second["version"], second["stem"]) == ("kojii", 2, "kojii-v2")
    assert [c["id"] for c in daemon.concepts()] == [second["id"], concept["id"]]
    # By name the newest is meant.
    assert daemon.expand_prompt("kojii", "comfyui", ["kojii"])["loras"][0]["concept"] == "kojii-v2_lora"
    assert daemon.bundle(second, tmp_path).name == "kojii-v2.tar"


def test_a_new_name_leaves_the_files_alone(second: dict, concept: dict, daemon: Daemon) -> None:
    renamed = daemon.rename(second, "Kojii of the Hills")
    assert (renamed["name"], renamed["version"], renamed["stem"]) == ("Kojii of the Hills", 1, "kojii-v2")
    assert daemon.expand_prompt("kojii", "comfyui", ["kojii"])["loras"][0]["concept"] == "kojii_lora"


def test_what_is_deleted_lies_in_the_trash(second: dict, daemon: Daemon) -> None:
    daemon.delete(second)
    with pytest.raises(ConceptdError) as refusal:
        daemon.concept(second)
    assert (refusal.value.status, refusal.value.code) == (404, "not_found")
    assert list((daemon.home / "trash").rglob("kojii-v2.tar"))


def test_captions_of_a_data_set(daemon: Daemon, dataset: dict) -> None:
    before = daemon.captions(dataset)
    assert before["01.png"]
    changed = daemon.set_captions(dataset, {"01.png": "kojii  asleep", "02.png": None})
    assert changed == {**before, "01.png": "kojii asleep", "02.png": None}
    assert daemon.captions(dataset) == changed
    assert daemon.dataset(dataset)["pictures"][0]["caption"] is not None
    daemon.set_captions(dataset, before)


def test_a_data_set_of_a_path_is_a_copy(launch: Launch, tmp_path: Path, daemon: Daemon, dataset: dict) -> None:
    own = launch(roots=[toy.PICTURES.parent])
    copied = own.dataset_from_path(toy.PICTURES)
    strip = [{**picture, "caption": None} for picture in dataset["pictures"]]
    assert [{**picture, "caption": None} for picture in copied["pictures"]] == strip
    assert [one["id"] for one in own.datasets()] == [copied["id"]]
    assert list((own.home / "datasets").rglob("01.png"))


def test_models_are_hashed_in_the_background(daemon: Daemon) -> None:
    [model] = daemon.models()
    assert (model["name"], model["family"], model["problem"]) == ("toyxl", "sdxl", None)
    assert until(lambda: next(daemon.models())["sha256"])
