"""How a browser is logged in, and that nothing but our own page can use that."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest
from concept_client import Daemon
from conftest import Launch
from raw import Answer, send


@pytest.fixture(scope="module")
def daemon(launch: Launch) -> Daemon:
    """A daemon without models."""
    return launch(models=None)


def origin(daemon: Daemon) -> str:
    """Where its own page is from."""
    return daemon._address()[0]


def post(daemon: Daemon, path: str, body: dict, headers: dict[str, str] | None = None, token: bool = False) -> Answer:
    """Posts JSON."""
    headers = {"Content-Type": "application/json", **(headers or {})}
    return send(daemon, "POST", path, headers, json.dumps(body).encode(), with_token=token)


def log_in(daemon: Daemon, secret: str) -> Answer:
    """As the page does."""
    return post(daemon, "/v1/session", {"secret": secret}, {"Origin": origin(daemon)})


def shown(answer: Answer) -> dict[str, str]:
    """What our page shows after this login."""
    assert answer.status == 200
    key = json.loads(answer.body)["key"]
    return {"Cookie": answer.headers["set-cookie"].split(";")[0], "X-Conceptd-Key": key}


@pytest.fixture
def login(daemon: Daemon) -> dict[str, str]:
    """What our page shows when it is logged in."""
    return shown(log_in(daemon, daemon._address()[1]))


def test_the_command_prints_a_link_that_counts_once(program: Path, daemon: Daemon) -> None:
    command = [program, "open", "--print", "--home", daemon.home]
    link = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
    page, code = link.split("/#login=")
    assert page == origin(daemon) and re.fullmatch("[0-9a-f]{32}", code)
    assert log_in(daemon, code).status == 200
    assert log_in(daemon, code).problem["code"] == "unauthorized"


def test_the_cookie_is_out_of_reach_of_scripts_and_sites(daemon: Daemon) -> None:
    cookie = log_in(daemon, daemon._address()[1]).headers["set-cookie"]
    assert {"HttpOnly", "SameSite=Strict", "Path=/v1"} <= set(cookie.split("; "))
    # Cookies know no ports: two daemons must not take each other's.
    assert cookie.startswith(f"conceptd-{origin(daemon).rpartition(':')[2]}=")


@pytest.mark.parametrize("secret", ["x", "0" * 32, "0" * 64])
def test_other_secrets_do_not_log_in(daemon: Daemon, secret: str) -> None:
    answer = log_in(daemon, secret)
    assert answer.problem["code"] == "unauthorized" and "set-cookie" not in answer.headers


def test_a_login_lasts_until_the_token_is_another(program: Path, launch: Launch) -> None:
    daemon = launch(models=None)
    port = int(origin(daemon).rpartition(":")[2])
    login = shown(log_in(daemon, daemon._address()[1]))
    for new_token, status in ((False, 204), (True, 401)):
        daemon.process.terminate()
        daemon.process.wait(10)
        if new_token:
            subprocess.run([program, "token", "--new", "--home", daemon.home], check=True, capture_output=True)
        daemon = launch(daemon.home, models=None, port=port)
        assert send(daemon, "GET", "/v1/session", login, with_token=False).status == status


def test_a_made_up_cookie_does_not_help(daemon: Daemon, login: dict[str, str]) -> None:
    name, _, value = login["Cookie"].partition("=")
    ends, nonce, seal = value.split(".")
    longer = f"{int(ends) + 1}.{nonce}.{seal}"
    for made_up in (longer, f"{ends}.{nonce}.{'0' * 64}", f"{ends}.{nonce}", "", value[:-1]):
        made_up = {**login, "Cookie": f"{name}={made_up}"}
        assert send(daemon, "GET", "/v1/jobs", made_up, with_token=False).status == 401


def test_a_cookie_alone_shows_pictures_and_nothing_else(daemon: Daemon, login: dict[str, str]) -> None:
    # Every other server on this machine is shown it; only our page has the key.
    cookie = {"Cookie": login["Cookie"], "Origin": origin(daemon)}
    another = shown(log_in(daemon, daemon._address()[1]))["X-Conceptd-Key"]
    for headers in (cookie, {**cookie, "X-Conceptd-Key": another}, {**cookie, "X-Conceptd-Key": ""}):
        for path in ("/v1/jobs", "/v1/settings", "/v1/datasets", "/v1/session", "/v1/jobs/x/log", "/metrics"):
            assert send(daemon, "GET", path, headers, with_token=False).status == 401, path
        for method, path in (("POST", "/v1/session/links"), ("DELETE", "/v1/concepts/x"), ("PUT", "/v1/concepts/x/preview")):
            assert send(daemon, method, path, headers, with_token=False).status == 401, path
    for path in ("datasets/x/thumbnails/y", "datasets/x/masks/y", "datasets/x/sheet", "jobs/x/samples/y", "jobs/x/events"):
        assert send(daemon, "GET", f"/v1/{path}", cookie, with_token=False).status == 404, path
    for path in ("concepts/x/preview", "concepts/x/bundle", "creations/x/pictures/y"):
        assert send(daemon, "GET", f"/v1/{path}", cookie, with_token=False).status == 404, path
    # And a key alone is nothing.
    assert send(daemon, "GET", "/v1/jobs", {"X-Conceptd-Key": another}, with_token=False).status == 401


def test_our_own_page_may_ask_and_change(daemon: Daemon, login: dict[str, str]) -> None:
    assert send(daemon, "GET", "/v1/jobs", {**login, "Sec-Fetch-Site": "same-origin"}, with_token=False).status == 200
    # A picture in a tab of its own, and browsers that do not say.
    assert send(daemon, "GET", "/v1/jobs", {**login, "Sec-Fetch-Site": "none"}, with_token=False).status == 200
    assert send(daemon, "GET", "/v1/jobs", login, with_token=False).status == 200
    assert post(daemon, "/v1/session/links", {}, {**login, "Origin": origin(daemon)}).status == 201


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({}, id="no origin"),
        pytest.param({"Origin": "http://127.0.0.1:8188"}, id="another server here"),
        pytest.param({"Origin": "http://localhost:8188"}, id="the same by another name"),
        pytest.param({"Origin": "null"}, id="a sandbox"),
        pytest.param({"Origin": "https://evil.example"}, id="a site"),
        pytest.param({"Sec-Fetch-Site": "cross-site"}, id="a site without an origin"),
    ],
)
def test_other_pages_cannot_use_the_login(daemon: Daemon, login: dict[str, str], headers: dict[str, str]) -> None:
    for path in ("/v1/session/links", "/v1/jobs", "/v1/hosts/detect"):
        assert post(daemon, path, {}, {**login, **headers}).problem["code"] == "forbidden"


def test_other_servers_here_cannot_show_our_pictures(daemon: Daemon, login: dict[str, str]) -> None:
    headers = {**login, "Sec-Fetch-Site": "same-site"}
    assert send(daemon, "GET", "/v1/jobs", headers, with_token=False).status == 403


def test_an_allowed_origin_has_no_use_of_the_login(launch: Launch, tmp_path: Path) -> None:
    other = "http://127.0.0.1:8188"
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    home.joinpath("config.toml").write_text(f'allowed_origins = ["{other}"]\n')
    daemon = launch(home, models=None)
    login = {**shown(log_in(daemon, daemon._address()[1])), "Origin": other}
    assert post(daemon, "/v1/session/links", {}, {"Origin": other}, token=True).status == 201
    assert post(daemon, "/v1/session/links", {}, login).problem["code"] == "forbidden"


def test_logging_out_takes_the_cookie(daemon: Daemon, login: dict[str, str]) -> None:
    answer = send(daemon, "DELETE", "/v1/session", {**login, "Origin": origin(daemon)}, with_token=False)
    assert answer.status == 204 and "Max-Age=0" in answer.headers["set-cookie"]


def test_the_page_runs_its_own_scripts_alone(daemon: Daemon) -> None:
    page = send(daemon, "GET", "/", with_token=False)
    policy = dict(part.strip().split(" ", 1) for part in page.headers["content-security-policy"].split(";"))
    assert policy["default-src"] == policy["frame-ancestors"] == "'none'" and policy["script-src"] == "'self'"
    text = page.body.decode()
    assert not re.search(r"<script(?![^>]*src=)|<style|style=|https?://", text)
    assert send(daemon, "GET", "/", {"If-None-Match": page.headers["etag"]}, with_token=False).status == 304
    # Following a link from elsewhere shows the page, which then asks for a login.
    assert send(daemon, "GET", "/", {"Sec-Fetch-Site": "cross-site"}, with_token=False).status == 200
