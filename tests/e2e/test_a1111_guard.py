"""Who may use the routes of the extension for A1111 and Forge, and what they pass on."""

from __future__ import annotations

import ast
import json
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace

import pytest
import toy
import webui
from concept_client import Daemon
from processes import until

sys.path.insert(0, str(webui.EXTENSION))
from concept_panel import guard, proxy  # noqa: E402

OPEN = guard.Exposure(tunnelled=False, hosts=frozenset())


@pytest.fixture(scope="module")
def ui(daemon: Daemon, tmp_path_factory: pytest.TempPathFactory) -> Iterator[webui.WebUI]:
    with webui.running(tmp_path_factory.mktemp("ui") / "data", home=daemon.home) as running:
        yield running


def test_the_copied_client_is_the_client() -> None:
    source, copy = webui.ROOT / "schemas" / "python" / "concept_client", webui.EXTENSION / "concept_client"
    expected = {path.name: path.read_bytes() for path in source.glob("*.py")}
    expected["train_request.json"] = (webui.ROOT / "schemas" / "train_request.json").read_bytes()
    assert {path.name: path.read_bytes() for path in copy.iterdir() if path.is_file()} == expected


def test_it_needs_nothing_that_the_web_ui_has_not() -> None:
    known = {*sys.stdlib_module_names, "modules", "gradio", "starlette", "concept_client", "concept_panel"}
    for path in webui.EXTENSION.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.level == 0:
                names = [node.module]
            assert {name.partition(".")[0] for name in names} <= known, path
    assert not (webui.EXTENSION / "install.py").exists()
    assert not (webui.EXTENSION / "requirements.txt").exists()


@pytest.mark.parametrize("way", ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "srcdoc"])
def test_no_data_becomes_markup(way: str) -> None:
    scripts = list((webui.EXTENSION / "javascript").glob("*.js"))
    assert scripts and all(way not in script.read_text(encoding="utf-8") for script in scripts)


def asked(method: str = "GET", peer: str | None = "127.0.0.1", **headers: str) -> guard.Asked:
    return guard.Asked(method, {"host": "127.0.0.1:7860", **{k.replace("_", "-"): v for k, v in headers.items()}}, peer)


OWN = {"origin": "http://127.0.0.1:7860", "sec_fetch_site": "same-origin"}


@pytest.mark.parametrize(
    "request_",
    [
        asked(),
        asked(host="localhost:7860"),
        asked(host="[::1]:7860", peer="::1"),
        asked(peer="::ffff:127.0.0.1"),
        asked(**OWN),
        asked("POST", x_conceptd="1", **OWN),
        asked(sec_fetch_site="none"),
    ],
)
def test_its_own_page_may_ask(request_: guard.Asked) -> None:
    guard.check(request_, OPEN)


REFUSED = [
    asked("POST", **OWN),
    asked("POST"),
    asked(host="evil.example"),
    asked(host="127.0.0.1.evil.example:7860"),
    asked(host=""),
    asked(origin="http://evil.example"),
    asked(origin="http://127.0.0.1:3000"),
    asked(origin="null"),
    asked("POST", x_conceptd="1", origin="http://evil.example"),
    asked(sec_fetch_site="cross-site"),
    asked(sec_fetch_site="same-site"),
    asked(peer="192.168.1.9"),
    asked(peer="192.168.1.9", host="192.168.1.2:7860"),
    asked(peer=None),
    asked(x_forwarded_for="203.0.113.5"),
    asked(via="1.1 proxy"),
]


@pytest.mark.parametrize("request_", REFUSED)
def test_others_may_not(request_: guard.Asked) -> None:
    with pytest.raises(guard.Refused):
        guard.check(request_, OPEN)


def test_a_program_needs_no_header_but_a_browser_does() -> None:
    guard.check(asked("POST"), OPEN, programs=True)
    for request_ in (asked("POST", **OWN), asked("POST", sec_fetch_site="none"), asked("POST", origin="http://a.b")):
        with pytest.raises(guard.Refused):
            guard.check(request_, OPEN, programs=True)


def test_a_shared_web_ui_answers_nobody_unless_it_is_told_to() -> None:
    options = SimpleNamespace(share=True, ngrok=None, conceptd_hosts="")
    with pytest.raises(guard.Refused, match="--conceptd-hosts"):
        guard.check(asked(), guard.Exposure.of(options))
    options.conceptd_hosts = "Box.lan, *"
    guard.check(
        asked(host="abc.gradio.live", peer="127.0.0.1", x_forwarded_for="203.0.113.5"), guard.Exposure.of(options)
    )
    options.conceptd_hosts = "box.lan"
    guard.check(asked(host="BOX.lan:7860", peer="192.168.1.9"), guard.Exposure.of(options))
    with pytest.raises(guard.Refused):
        guard.check(asked(host="other.lan:7860", peer="192.168.1.9"), guard.Exposure.of(options))


def test_a_password_of_the_web_ui_counts() -> None:
    user = SimpleNamespace(path="/user", endpoint=lambda request: request)
    guard.check_login(SimpleNamespace(auth=None, routes=[]), None)
    guard.check_login(SimpleNamespace(auth={"a": "b"}, routes=[user]), "somebody")
    for routes in ([], [user]):
        with pytest.raises(guard.Refused):
            guard.check_login(SimpleNamespace(auth={"a": "b"}, routes=routes), None)


@pytest.mark.parametrize(
    "headers", [{"Host": "evil.example"}, {"Origin": "http://evil.example"}, {"Forwarded": "for=1.2.3.4"}]
)
@pytest.mark.parametrize("path", ["state", "daemon", "form", "host", "api/v1/version"])
def test_refusals_over_http(ui: webui.WebUI, path: str, headers: dict[str, str]) -> None:
    status, content = ui.ask("GET", f"/conceptd/{path}", headers=headers)
    assert status == 403 and json.loads(content)["code"] == "forbidden"


@pytest.mark.parametrize("path", ["start", "host", "api/v1/jobs", "api/v1/plans", "api/v1/datasets"])
def test_changes_need_the_header(ui: webui.WebUI, path: str) -> None:
    assert ui.ask("POST", f"/conceptd/{path}", {})[0] == 403


@pytest.mark.parametrize("path", ["start", "refresh", "free"])
def test_reading_changes_nothing(ui: webui.WebUI, path: str) -> None:
    assert ui.ask("GET", f"/conceptd/{path}", headers=webui.OURS)[0] == 405


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "v1/hosts"),
        ("POST", "v1/watches"),
        ("GET", "v1/concepts/a/bundle"),
        ("POST", "v1/concepts"),
        ("GET", "v1/jobs/../hosts"),
        ("GET", "v1/jobs/%2e%2e/hosts"),
        ("GET", "v1/jobs/a%2F..%2F..%2Fhosts"),
        ("GET", "v1/jobs/a/cancel"),
        ("GET", "openapi.json"),
        ("GET", "metrics"),
    ],
)
def test_only_what_the_tab_needs_is_passed_on(ui: webui.WebUI, method: str, path: str) -> None:
    status, content = ui.ask(method, f"/conceptd/api/{path}", None if method == "GET" else {}, webui.OURS)
    assert status == 404 and b"tab" in content


def test_a_path_makes_no_data_set(ui: webui.WebUI) -> None:
    body = {"path": str(toy.PICTURES)}
    assert ui.ask("POST", "/conceptd/api/v1/datasets", body, webui.OURS)[0] == 404
    assert not proxy.is_allowed("POST", "v1/datasets", "application/json")


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
def test_nothing_is_deleted_or_renamed(ui: webui.WebUI, method: str) -> None:
    assert ui.ask(method, "/conceptd/api/v1/concepts/a", {}, webui.OURS)[0] == 405


def test_a_shared_web_ui_over_http(daemon: Daemon, tmp_path: Path) -> None:
    with webui.running(tmp_path / "data", "a1111", "--share", home=daemon.home) as shared:
        assert shared.ask("GET", "/conceptd/api/v1/version")[0] == 403
    with webui.running(
        tmp_path / "data", "a1111", "--share", "--conceptd-hosts", "me.example", home=daemon.home
    ) as shared:
        assert shared.ask("GET", "/conceptd/api/v1/version", headers={"Host": "me.example"})[0] == 200


def test_the_token_stays_here(ui: webui.WebUI, daemon: Daemon) -> None:
    token = (daemon.home / "token").read_text().strip().encode()
    assert token
    for path in ("state", "daemon", "form", "api/v1/version", "api/v1/models", "api/v1/jobs", "api/v1/nothing"):
        connection = ui.connect()
        connection.request("GET", f"/conceptd/{path}")
        answer = connection.getresponse()
        assert token not in answer.read() and token not in str(answer.headers).encode()
        connection.close()


class SlowDaemon(ThreadingHTTPServer):
    """A daemon that shows what has reached it, and sends when it is told to."""

    def __init__(self, home: Path) -> None:
        super().__init__(("127.0.0.1", 0), _SlowAnswers)
        self.daemon_threads = True
        self.received, self.go, self.gone = bytearray(), threading.Event(), threading.Event()
        url = f"http://127.0.0.1:{self.server_address[1]}"
        home.mkdir(parents=True)
        (home / "daemon.json").write_text(json.dumps({"url": url}))
        (home / "token").write_text("secret")
        threading.Thread(target=self.serve_forever, daemon=True).start()


class _SlowAnswers(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: SlowDaemon

    def do_POST(self) -> None:
        left = int(self.headers["Content-Length"])
        while left and (part := self.rfile.read1(left)):
            self.server.received += part
            left -= len(part)
        self.send_response(201)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self._chunk(b'id: 1\ndata: {"event": "step"}\n\n')
        self.server.go.wait(30)
        try:
            # More than a connection that nobody reads would hold.
            while not self.server.gone.is_set():
                self._chunk(b": word\n\n" * 10_000)
        except OSError:
            self.server.gone.set()

    def _chunk(self, content: bytes) -> None:
        self.wfile.write(f"{len(content):x}\r\n".encode() + content + b"\r\n")

    def log_message(self, *_: object) -> None:
        """Says nothing."""


@pytest.fixture
def slow(tmp_path: Path) -> Iterator[SlowDaemon]:
    server = SlowDaemon(tmp_path / "home")
    yield server
    server.gone.set()
    server.go.set()
    server.shutdown()
    server.server_close()


def test_an_upload_is_passed_on_while_it_comes(slow: SlowDaemon, tmp_path: Path) -> None:
    first, rest = b"a" * 300_000, b"b" * 700_000
    with webui.running(tmp_path / "data", home=tmp_path / "home") as ui:
        connection = ui.connect()
        connection.putrequest("POST", "/conceptd/api/v1/datasets")
        for name, value in {**webui.OURS, "Content-Type": "multipart/form-data; boundary=x"}.items():
            connection.putheader(name, value)
        connection.putheader("Content-Length", str(len(first) + len(rest)))
        connection.endheaders(first)
        until(lambda: bytes(slow.received) == first)
        connection.send(rest)
        assert connection.getresponse().status == 201
        assert bytes(slow.received) == first + rest
        connection.close()


def test_events_come_at_once_and_end_with_the_page(slow: SlowDaemon, tmp_path: Path) -> None:
    with webui.running(tmp_path / "data", home=tmp_path / "home") as ui:
        connection = ui.connect()
        # As a browser asks; the web UI compresses what is long enough.
        connection.request("GET", "/conceptd/api/v1/jobs/job-1/events", headers={"Accept-Encoding": "gzip"})
        answer = connection.getresponse()
        assert answer.readline() == b"id: 1\n" and not slow.go.is_set()
        answer.close()
        connection.close()
        slow.go.set()
        until(slow.gone.is_set)


def test_uploads_and_refusals_pass_unchanged(ui: webui.WebUI, dataset: dict) -> None:
    picture = (toy.PICTURES / "01.png").read_bytes()
    head = b'--x\r\nContent-Disposition: form-data; name="files"; filename="01.png"\r\n\r\n'
    headers = {**webui.OURS, "Content-Type": "multipart/form-data; boundary=x"}
    status, content = ui.ask("POST", "/conceptd/api/v1/datasets", head + picture + b"\r\n--x--\r\n", headers)
    assert status == 201
    made = json.loads(content)["pictures"][0]
    assert made["sha256"] == next(one["sha256"] for one in dataset["pictures"] if one["name"] == "01.png")
    # A refusal of the daemon reaches the page as it is.
    status, content = ui.ask("POST", "/conceptd/api/v1/plans", {"dataset": "nothing"}, webui.OURS)
    assert status == 422 and json.loads(content)["field"]
