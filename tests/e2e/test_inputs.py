"""Requests that cannot be carried out: each is refused at once, with the status, code and field that are meant."""

from __future__ import annotations

import base64
import io
import struct
import zipfile
import zlib
from pathlib import Path
from typing import Any

import pytest
import toy
from concept_client import Daemon
from conftest import Launch
from raw import Answer, send, send_form, send_json

LIMITS = "[limits]\npictures = 8\nfile_bytes = 30000\ndataset_bytes = 200000\njson_bytes = 5000\n"
PICTURE = (toy.PICTURES / "01.png").read_bytes()


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that data sets may be made of, with links that lead out of it, and a neighbour with a secret."""
    root = tmp_path_factory.mktemp("roots") / "allowed"
    secret = root.parent / "secret"
    for folder in (root / "pictures", secret):
        folder.mkdir(parents=True)
        for file in toy.PICTURES.glob("0[12].png"):
            (folder / file.name).write_bytes(file.read_bytes())
    (root / "way out").symlink_to(secret)
    (root / "pictures" / "linked.png").symlink_to(secret / "01.png")
    (root / "pictures" / "linked folder").symlink_to(secret)
    return root


@pytest.fixture(scope="module")
def daemon(launch: Launch, toy_base: Path, root: Path, tmp_path_factory: pytest.TempPathFactory) -> Daemon:
    """A daemon with small limits, and with a base that is cut off beside the whole one."""
    home = tmp_path_factory.mktemp("strict") / "conceptd"
    home.mkdir(mode=0o700)
    (home / "config.toml").write_text(LIMITS)
    models = tmp_path_factory.mktemp("models")
    whole = toy_base.read_bytes()
    (models / "toyxl.safetensors").write_bytes(whole)
    (models / "truncated.safetensors").write_bytes(whole[: len(whole) // 2])
    (models / "text.safetensors").write_text("this is no checkpoint")
    return launch(home, models, roots=[root])


def request(learnt: dict, **change: Any) -> dict:
    """A good TrainRequest, but for `change`."""
    body = {"dataset": learnt["id"], "name": "kojii", "base": toy.BASE, "mode": "object", "parameters": toy.PARAMETERS}
    return {key: value for key, value in {**body, **change}.items() if value is not ...}


def refused(answer: Answer, status: int, code: str, field: str | None, says: str = "") -> None:
    """Fails unless the answer is this refusal."""
    problem = answer.problem
    assert (answer.status, problem["code"], problem.get("field")) == (status, code, field), problem
    assert says.lower() in problem["detail"].lower(), problem


def parameter(name: str, value: Any, says: str = "", code: str = "invalid") -> Any:
    """A training parameter that cannot be used."""
    change = {"parameters": {**toy.PARAMETERS, name: value}}
    return pytest.param(change, code, f"parameters.{name}", says, id=f"{name}={value}"[:40])


TRAININGS = [
    pytest.param({"nmae": "x"}, "invalid", "nmae", "unknown field `nmae`", id="unknown field"),
    pytest.param({"dataset": 5}, "invalid", "dataset", "string", id="number for a string"),
    pytest.param({"name": ...}, "invalid", "name", "name", id="no name"),
    pytest.param({"priority": "high"}, "invalid", "priority", "", id="string for a number"),
    pytest.param({"priority": 1001}, "invalid", "priority", "1000", id="priority"),
    pytest.param({"parameters": []}, "invalid", "parameters", "", id="list for an object"),
    pytest.param({"mode": "animal"}, "invalid", "mode", "face", id="mode"),
    pytest.param({"mode": ...}, "invalid", "mode", "face, object or style", id="no mode"),
    pytest.param({"prediction": "flow"}, "invalid", "prediction", "epsilon", id="prediction"),
    pytest.param({"name": ""}, "invalid", "name", "shorter", id="empty name"),
    pytest.param({"name": "x" * 101}, "invalid", "name", "100", id="long name"),
    pytest.param({"name": "../x"}, "invalid", "name", "path", id="path for a name"),
    pytest.param({"name": "a\0b"}, "invalid", "name", "control", id="NUL in a name"),
    pytest.param({"name": "Xan\u202eder"}, "invalid", "name", "", id="bidirectional mark in a name"),
    pytest.param({"dataset": "dataset-0"}, "not_found", "dataset", "dataset-0", id="unknown data set"),
    pytest.param({"base": "sd9"}, "not_found", "base", "config.toml", id="unknown base"),
    pytest.param({"base": "/etc/passwd"}, "not_found", "base", "model folders", id="base elsewhere"),
    pytest.param({"base": "truncated"}, "base", "base", "truncated", id="truncated base"),
    pytest.param({"base": "text"}, "base", "base", "text", id="base that is none"),
    pytest.param({"vae": "/etc/passwd"}, "invalid", "vae", "model folders", id="VAE elsewhere"),
    pytest.param({"continue_from": "nobody"}, "not_found", "continue_from", "nobody", id="unknown beginning"),
    pytest.param({"recipe_from": "nobody"}, "not_found", "recipe_from", "nobody", id="unknown recipe"),
    parameter("lora_rnak", 4, "unknown field `lora_rnak`"),
    parameter("lora_rank", "four"),
    parameter("lora_rank", 0),
    parameter("lora_rank", 100_000),
    parameter("lora_rank", -1),
    parameter("lora_rank", 2.5),
    parameter("steps", 0),
    parameter("steps", "many", "auto"),
    parameter("time_budget", 60, "not both"),
    parameter("resolution", 100, "64"),
    parameter("resolution", 1 << 20),
    parameter("batch_size", 0),
    parameter("learning_rate", -1),
    parameter("learning_rate", 1e9),
    parameter("lora_targets", "everything", "attn"),
    parameter("optimizer", "sgd", "adamw"),
    parameter("caption_dropout", 2),
    parameter("token_count", 1000),
    parameter("token_init", " "),
    parameter("seed", -1),
    parameter("seed", 1 << 60),
    parameter("save_every", 0),
    parameter("sample_prompt", "text"),
    pytest.param(
        {"parameters": {**toy.PARAMETERS, "sample_prompt": [""]}}, "invalid", "parameters.sample_prompt[0]", "", id="empty prompt"
    ),
    parameter("sample_prompt", ["x"] * 17),
]


@pytest.mark.parametrize("path", ["/v1/plans", "/v1/jobs"])
@pytest.mark.parametrize(("change", "code", "field", "says"), TRAININGS)
def test_trainings(daemon: Daemon, dataset: dict, path: str, change: dict, code: str, field: str, says: str) -> None:
    answer = send_json(daemon, "POST", path, request(dataset, **change))
    if answer.status == 202:
        daemon.cancel(answer.headers["location"].rpartition("/")[2])
    refused(answer, 422, code, field, says)


@pytest.mark.parametrize(
    ("change", "code", "field"),
    [
        ({"prompt": ""}, "invalid", "prompt"),
        ({"prompt": "x" * 2001}, "invalid", "prompt"),
        ({"negative": "x" * 2001}, "invalid", "negative"),
        ({"width": 100}, "invalid", "width"),
        ({"height": 1 << 20}, "invalid", "height"),
        ({"steps": 0}, "invalid", "steps"),
        ({"cfg": -1}, "invalid", "cfg"),
        ({"count": 65}, "invalid", "count"),
        ({"seed": 1 << 60}, "invalid", "seed"),
        ({"init_image": "%%"}, "invalid", "init_image"),
        ({"init_image": base64.b64encode(b"no picture").decode()}, "invalid", "init_image"),
        ({"init_strength": 2}, "invalid", "init_strength"),
        ({"base": "sd9"}, "not_found", "base"),
        ({"base": ...}, "invalid", "base"),
        ({"concepts": [{"concept": "nobody"}]}, "not_found", "concepts"),
        ({"concepts": [{"concept": "x", "strength": 9}]}, "invalid", "concepts[0].strength"),
        ({"concepts": [{"concept": "x"}] * 9}, "invalid", "concepts"),
        ({"concepts": [{"name": "x"}]}, "invalid", "concepts[0].name"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_creations(daemon: Daemon, change: dict, code: str, field: str) -> None:
    body = {"prompt": "a dog", "base": toy.BASE, "width": 128, "height": 128, "steps": 1, **change}
    body = {key: value for key, value in body.items() if value is not ...}
    refused(send_json(daemon, "POST", "/v1/creations", body), 422, code, field)


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b'{"dataset": NaN}', b'{"dataset": "\xff"}', b"{} {}", b"[]", b"null", b"[" * 4000],
    ids=lambda value: str(value)[:20],
)
def test_bodies_that_are_no_request(daemon: Daemon, body: bytes) -> None:
    for method, path in (
        ("POST", "/v1/plans"),
        ("POST", "/v1/jobs"),
        ("POST", "/v1/creations"),
        ("POST", "/v1/prompts"),
    ):
        answer = send_json(daemon, method, path, body)
        assert answer.problem["code"] == "invalid"
        # Whether a field or the end is met first depends on the route.
        assert answer.status in (400, 422), path


def test_a_body_of_another_type_or_size(daemon: Daemon) -> None:
    for method, path in (
        ("POST", "/v1/plans"),
        ("POST", "/v1/jobs"),
        ("POST", "/v1/concepts"),
        ("POST", "/v1/datasets"),
    ):
        for headers in ({"Content-Type": "text/plain"}, {}):
            refused(send(daemon, method, path, headers, b"{}"), 415, "unsupported_media_type", None, "send")
    large = {"text": "x" * 6000, "host": "a1111", "concepts": []}
    refused(send_json(daemon, "POST", "/v1/prompts", large), 413, "too_large", None, "5000 bytes")


@pytest.mark.parametrize(
    ("method", "path", "headers", "status", "code", "field"),
    [
        ("GET", "/v1/jobs/job-0", {}, 404, "not_found", None),
        ("GET", "/v1/jobs/..%2f..%2fetc", {}, 404, "not_found", None),
        ("GET", "/v1/datasets/%00", {}, 404, "not_found", None),
        ("GET", "/v1/nothing", {}, 404, "not_found", None),
        ("DELETE", "/v1/jobs", {}, 405, "method_not_allowed", None),
        ("GET", "/v1/plans", {}, 405, "method_not_allowed", None),
        ("GET", "/v1/jobs?limit=0", {}, 422, "invalid", "limit"),
        ("GET", "/v1/jobs?limit=x", {}, 422, "invalid", "query"),
        ("GET", "/v1/jobs?page=2", {}, 422, "invalid", "query"),
        ("GET", "/v1/jobs/job-0/events", {"Last-Event-ID": "-1"}, 422, "invalid", "Last-Event-ID"),
        ("POST", "/v1/jobs", {"Idempotency-Key": "x" * 201}, 422, "invalid", "Idempotency-Key"),
        ("POST", "/v1/jobs", {"Idempotency-Key": ""}, 422, "invalid", "Idempotency-Key"),
        ("POST", "/v1/datasets", {"Idempotency-Key": "x" * 201}, 422, "invalid", "Idempotency-Key"),
    ],
)
def test_paths_queries_and_headers(
    daemon: Daemon, method: str, path: str, headers: dict, status: int, code: str, field: str | None
) -> None:
    refused(send(daemon, method, path, headers), status, code, field)


def test_captions(daemon: Daemon, dataset: dict) -> None:
    path = f"/v1/datasets/{dataset['id']}/captions"
    for captions, field in [
        ({"nowhere.png": "x"}, "captions.nowhere.png"),
        ({"01.png": "a\0b"}, "captions.01.png"),
        ({"01.png": 5}, "captions.01.png"),
    ]:
        refused(send_json(daemon, "PUT", path, {"captions": captions}), 422, "invalid", field)


@pytest.mark.parametrize(
    "name",
    [
        "../x.png", "a/../../x.png", "/etc/x.png", "..", "a//b.png", "a\\\\b.png", "C:x.png", "a\x00.png", "a\x07.png",
        "con.png", "sub/LPT1.txt", "nul", "\u202egnp.png", "x\u2066y.png", "x.png.", "x.png ", "a?.png", "", "x" * 501,
    ],
    ids=ascii,
)  # fmt: skip
def test_names_of_uploads(daemon: Daemon, name: str) -> None:
    answer = send_form(daemon, "/v1/datasets", [("files", name, PICTURE)])
    problem = answer.problem
    # A header cannot hold NUL at all: such a form is damaged.
    assert (answer.status, problem["code"]) in ((422, "invalid"), (400, "invalid")), problem
    if answer.status == 422:
        assert problem["field"] == "files"
    assert ("\x00" in name or "\x07" in name) or answer.status == 422, problem


def png(width: int, height: int) -> bytes:
    """A picture that claims a size and holds no pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0" * 9999)) + chunk(b"IEND", b"")
    )


def zipped(name: str, content: bytes) -> bytes:
    """An archive of one file."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
    return file.getvalue()


@pytest.mark.parametrize(
    ("parts", "status", "code", "field", "says"),
    [
        ([], 422, "invalid", "files", "no files"),
        ([("pictures", "a.png", PICTURE)], 422, "invalid", "files", "`files`"),
        ([("files", None, PICTURE)], 422, "invalid", "files", "no name"),
        ([("files", "a.png", PICTURE), ("files", "A.PNG", PICTURE)], 422, "invalid", "files", "twice"),
        ([("files", "a.png", b"x" * 30_001)], 413, "too_large", None, "30000"),
        ([("files", f"{i}.png", b"x" * 29_000) for i in range(8)], 413, "too_large", None, "200000"),
        ([("files", f"{i}.txt", b"x") for i in range(25)], 413, "too_large", None, "24"),
        ([("files", "a.zip", b"PK no archive")], 422, "dataset", "files", "a.zip"),
        ([("files", "bomb.zip", zipped("a.png", b"\0" * 10_000_000))], 422, "dataset", "files", "bomb.zip"),
    ],
    ids=["no parts", "wrong field", "no file name", "twice", "large file", "large form", "many files", "zip", "bomb"],
)
def test_uploads(daemon: Daemon, parts: list, status: int, code: str, field: str | None, says: str) -> None:
    refused(send_form(daemon, "/v1/datasets", parts), status, code, field, says)


def test_pictures_that_cannot_be_used_are_named(daemon: Daemon) -> None:
    parts = [("files", "good.png", PICTURE), ("files", "bomb.png", png(60_000, 60_000)), ("files", "no.png", b"x")]
    answer = send_form(daemon, "/v1/datasets", [*parts, ("files", "up.zip", zipped("../../../up.png", PICTURE))])
    assert answer.status == 201, answer.body
    skipped = daemon.dataset(next(daemon.datasets()))["skipped"]
    assert {"bomb.png", "no.png"} <= {file["name"] for file in skipped}
    assert all(file["reason"] for file in skipped)
    assert not list(daemon.home.parent.rglob("up.png"))


def test_a_list_is_no_request(daemon: Daemon, dataset: dict) -> None:
    # The fields of a request in their order, without their names.
    fields = [dataset["id"], "kojii", "object", toy.BASE, None, None, {}, None, None, 0]
    answer = send_json(daemon, "POST", "/v1/plans", fields)
    assert answer.status == 422, answer.body[:200]


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("/etc", "roots"),
        ("{root}/../secret", ".."),
        ("{root}/way out", "roots"),
        ("{root}/nowhere", "no such"),
        ("pictures", "whole path"),
        ("{root}/a\0b", ""),
        ("~", "whole path"),
    ],
    ids=ascii,
)
def test_paths_outside_of_roots(daemon: Daemon, root: Path, path: str, says: str) -> None:
    body = {"path": path.replace("{root}", str(root))}
    refused(send_json(daemon, "POST", "/v1/datasets", body), 422, "dataset", "path", says)


def test_links_that_lead_out_are_passed_over(daemon: Daemon, root: Path) -> None:
    dataset = daemon.dataset_from_path(root)
    assert [picture["name"] for picture in dataset["pictures"]] == ["pictures/01.png", "pictures/02.png"]


def test_nothing_is_left_behind(daemon: Daemon) -> None:
    staging = daemon.home / "staging"
    assert not staging.exists() or not list(staging.rglob("*"))
    assert {job["state"] for job in daemon.jobs()} <= {"cancelled"}
