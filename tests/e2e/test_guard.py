"""Who may ask: on every route that the daemon documents, so that a new one cannot escape."""

from __future__ import annotations

import json
import sqlite3
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import toy
from concept_client import Daemon
from conftest import Launch
from processes import until
from raw import send

OPEN = {("GET", "/healthz"), ("GET", "/openapi.json"), ("POST", "/v1/session")}
PAGE = {"/", "/page/page.js", "/page/page.css", "/page/icon.svg"}
METHODS = {"get", "put", "post", "delete", "options", "head", "patch", "trace"}


@pytest.fixture(scope="module")
def daemon(launch: Launch) -> Daemon:
    """A daemon without models: what is let through by mistake can train nothing."""
    return launch(models=None)


@pytest.fixture(scope="module")
def routes(daemon: Daemon) -> list[tuple[str, str]]:
    """Method and path of everything in the document, with a value for what varies."""
    document = json.loads(send(daemon, "GET", "/openapi.json", with_token=False).body)
    found = [
        (method.upper(), path.replace("{id}", "x-1").replace("{file}", "a.png").replace("{picture}", "ab"))
        for path, item in document["paths"].items()
        for method in item
        if method in METHODS
    ]
    assert len(found) > 35 and not any("{" in path for _, path in found)
    return found


@pytest.fixture
def guarded(routes: list[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """The routes, those that want a token, and places where there is none."""
    return [*(route for route in routes if route not in OPEN), ("GET", "/x"), ("DELETE", "/v1/jobs"), ("GET", "/page/x")]


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({}, id="none"),
        pytest.param({"Authorization": ""}, id="empty"),
        pytest.param({"Authorization": "Bearer "}, id="empty token"),
        pytest.param({"Authorization": f"Bearer {'0' * 64}"}, id="another token"),
        pytest.param({"Authorization": "Basic dXNlcjp4"}, id="basic"),
        pytest.param({"Cookie": "token=TOKEN"}, id="in a cookie"),
        pytest.param({"X-Original-URL": "/healthz", "X-Rewrite-URL": "/healthz"}, id="another path"),
    ],
)
def test_without_the_token_nothing_answers(daemon: Daemon, guarded: list[tuple[str, str]], headers: dict) -> None:
    token = daemon._address()[1]
    headers = {name: value.replace("TOKEN", token) for name, value in headers.items()}
    for method, path in guarded:
        answer = send(daemon, method, path, headers, with_token=False)
        assert (answer.status, answer.problem["code"]) == (401, "unauthorized"), (method, path)


def test_a_token_in_the_query_does_not_help(daemon: Daemon, guarded: list[tuple[str, str]]) -> None:
    token = daemon._address()[1]
    for method, path in guarded:
        for name in ("token", "access_token", "authorization"):
            answer = send(daemon, method, f"{path}?{name}={token}", with_token=False)
            assert answer.status == 401, (method, path)


@pytest.mark.parametrize(
    "path", ["//v1/jobs", "/healthz/../v1/jobs", "/healthz/", "/v1/jobs/", "/%761/jobs", "/V1/jobs"]
)
def test_other_ways_to_write_a_path_do_not_help(daemon: Daemon, path: str) -> None:
    assert send(daemon, "GET", path, with_token=False).status in (401, 404)


def test_open_routes_need_no_token(daemon: Daemon) -> None:
    for path in {path for method, path in OPEN if method == "GET"} | PAGE:
        assert send(daemon, "GET", path, with_token=False).status == 200
        # A wrong token does not shut them.
        assert send(daemon, "GET", path, {"Authorization": "Bearer x"}, with_token=False).status == 200


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "http://127.0.0.1:1", "http://localhost.evil.example"]
)
def test_pages_of_other_origins_are_refused(daemon: Daemon, routes: list[tuple[str, str]], origin: str) -> None:
    for method, path in routes:
        answer = send(daemon, method, path, {"Origin": origin})
        assert "access-control-allow-origin" not in answer.headers
        if path == "/healthz":
            assert answer.status == 200
        else:
            assert (answer.status, answer.problem["code"]) == (403, "forbidden"), (method, path)


def test_pages_of_its_own_may_ask(daemon: Daemon) -> None:
    port = daemon._address()[0].rpartition(":")[2]
    for name in ("127.0.0.1", "localhost"):
        assert send(daemon, "GET", "/v1/version", {"Origin": f"http://{name}:{port}"}).status == 200


def test_other_sites_are_refused_without_an_origin(daemon: Daemon, guarded: list[tuple[str, str]]) -> None:
    # Browsers send no Origin with pictures, scripts and forms of GET, but they send this.
    for method, path in guarded:
        assert send(daemon, method, path, {"Sec-Fetch-Site": "cross-site"}).status == 403, (method, path)


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "10.0.0.1", ""])
def test_other_hosts_are_refused(daemon: Daemon, routes: list[tuple[str, str]], host: str) -> None:
    for method, path in routes:
        answer = send(daemon, method, path, {"Host": host})
        assert (answer.status, answer.problem["code"]) == (403, "forbidden"), (method, path)


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:80", "127.0.0.1", "[::1]:7470"])
def test_own_names_are_known(daemon: Daemon, host: str) -> None:
    assert send(daemon, "GET", "/v1/version", {"Host": host}).status == 200


def test_every_answer_keeps_browsers_from_guessing(daemon: Daemon, routes: list[tuple[str, str]]) -> None:
    for method, path in routes:
        for with_token in (True, False):
            headers = send(daemon, method, path, with_token=with_token).headers
            assert headers["x-content-type-options"] == "nosniff", (method, path)
            assert headers["cache-control"] == "no-store", (method, path)
            assert headers["x-frame-options"] == "DENY", (method, path)


def test_a_huge_head_is_refused(daemon: Daemon) -> None:
    assert 400 <= send(daemon, "GET", "/v1/version", {"X-Padding": "x" * 200_000}).status < 500
    assert daemon.is_running()


def test_looking_changes_nothing(launch: Launch) -> None:
    daemon = launch()
    dataset = daemon.upload(toy.PICTURES)
    until(lambda: next(daemon.models())["sha256"])
    job = toy.submit(daemon, dataset, steps=5000)
    daemon.pause(job)
    until(lambda: daemon.job(job)["state"] == "paused")
    creation = daemon.create("a dog", base=toy.BASE, width=128, height=128, steps=1, wait=False)
    until(lambda: daemon.creation(creation)["state"] == "done")
    ids = {"datasets": dataset["id"], "jobs": job["id"], "creations": creation["id"], "concepts": "concept-1"}

    def everything() -> tuple[list[str], list[tuple[str, int]]]:
        with sqlite3.connect(f"file:{daemon.home / 'conceptd.db'}?mode=ro", uri=True) as database:
            rows = list(database.iterdump())
        # Logs and the database's own files move by themselves.
        own = (path for path in daemon.home.rglob("*") if path.is_file() and "logs" not in path.parts)
        files = [(str(path), path.stat().st_size) for path in sorted(own) if not path.name.startswith("conceptd.db")]
        return rows, files

    before = everything()
    document = json.loads(send(daemon, "GET", "/openapi.json").body)
    for path in document["paths"]:
        kind = path.split("/")[2] if path.startswith("/v1/") else ""
        path = path.replace("{id}", ids.get(kind, "x")).replace("{file}", "a.png").replace("{picture}", "ab")
        for override in ({}, {"X-HTTP-Method-Override": "DELETE"}, {"X-HTTP-Method-Override": "POST"}):
            for method in ("GET", "HEAD"):
                assert send(daemon, method, path, override).status < 500
    assert everything() == before
    daemon.cancel(job)


def test_it_listens_on_this_machine_alone(daemon: Daemon) -> None:
    listening = [c for c in psutil.Process(daemon.process.pid).net_connections() if c.status == psutil.CONN_LISTEN]
    assert [connection.laddr.ip for connection in listening] == ["127.0.0.1"]


@pytest.mark.skipif(sys.platform == "win32", reason="access lists are another test's")
def test_the_token_is_its_users_alone(daemon: Daemon) -> None:
    def mode(path: Path) -> int:
        return stat.S_IMODE(path.stat().st_mode)

    assert mode(daemon.home / "token") == 0o600
    assert mode(daemon.home) == 0o700
    token = daemon._address()[1]
    logs = [path for path in daemon.home.rglob("*") if path.is_file() and path.name != "token"]
    assert not any(token.encode() in path.read_bytes() for path in logs)
