"""The Python client by itself: how it finds and starts the daemon, and what it does when interrupted."""

from __future__ import annotations

import ast
import importlib.util
import shutil
import signal
import sys
import threading
from pathlib import Path

import pytest
import toy
from concept_client import ConceptdError, Daemon, DaemonNotRunning, JobFailed
from concept_client import home as homes
from conftest import ROOT, Launch
from processes import lives, until, worker, workers

CLIENT = ROOT / "schemas" / "python" / "concept_client"


def test_not_running_says_where_and_how(tmp_path: Path) -> None:
    with pytest.raises(DaemonNotRunning) as absent:
        Daemon(tmp_path / "nowhere").version()
    for part in (str(tmp_path / "nowhere"), "conceptd serve --home", "Daemon.start"):
        assert part in str(absent.value)
    # A daemon that was killed leaves its word behind.
    (tmp_path / "daemon.json").write_text('{"pid": 1, "port": 1, "url": "http://127.0.0.1:1", "version": "0"}')
    with pytest.raises(DaemonNotRunning, match="http://127.0.0.1:1"):
        Daemon(tmp_path).version()
    with pytest.raises(DaemonNotRunning, match="http://127.0.0.1:1"):
        Daemon(url="http://127.0.0.1:1", token="x").version()
    assert not Daemon(tmp_path).is_running()


def test_start_waits_and_finds_a_running_one(launch: Launch, program: Path) -> None:
    daemon = launch()
    assert daemon.version()["api"] == 1
    assert daemon.limits()["pictures"] == 5000
    again = Daemon.start(program, daemon.home)
    assert again.process is None and again.version() == daemon.version()
    with pytest.raises(ConceptdError) as refusal:
        Daemon(daemon.home, token="wrong").version()
    assert (refusal.value.status, refusal.value.code) == (401, "unauthorized")


def test_start_says_what_went_wrong(program: Path, tmp_path: Path) -> None:
    with pytest.raises(DaemonNotRunning, match="no-such-program"):
        Daemon.start("no-such-program", tmp_path)
    with pytest.raises(DaemonNotRunning, match="frobnicate"):
        Daemon.start(program, tmp_path, arguments=["--frobnicate"])


def test_the_home_is_that_of_the_daemon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONCEPTD_HOME", "/somewhere")
    assert homes.usual_home() == Path("/somewhere")
    monkeypatch.setenv("CONCEPTD_HOME", "")
    for platform, variables, home in [
        ("linux", {"HOME": "/home/ann"}, "/home/ann/.local/share/conceptd"),
        ("linux", {"HOME": "/home/ann", "XDG_DATA_HOME": "/data"}, "/data/conceptd"),
        ("darwin", {"HOME": "/Users/ann"}, "/Users/ann/Library/Application Support/conceptd"),
        ("win32", {"LOCALAPPDATA": "C:/Users/Ann/AppData/Local"}, "C:/Users/Ann/AppData/Local/conceptd"),
        ("win32", {"USERPROFILE": "C:/Users/Ann"}, "C:/Users/Ann/AppData/Local/conceptd"),
    ]:
        for variable in ("HOME", "XDG_DATA_HOME", "LOCALAPPDATA", "USERPROFILE"):
            monkeypatch.delenv(variable, raising=False)
        for variable, value in variables.items():
            monkeypatch.setenv(variable, value)
        monkeypatch.setattr(sys, "platform", platform)
        assert homes.usual_home() == Path(home)


class Stop(Exception):
    """What a host raises when its user wants to stop."""


@pytest.mark.parametrize("by", ["on_progress", "check", "Ctrl-C"])
def test_an_interrupted_wait_cancels_the_job(daemon: Daemon, dataset: dict, by: str) -> None:
    job = toy.submit(daemon, dataset, name=by, steps=5000)
    process = worker(daemon.process.pid)

    def stop(*_: object) -> None:
        if daemon.job(job)["step"] > 0:
            raise Stop

    if by == "Ctrl-C":
        # Shells let what runs in the background ignore this signal; a host does not.
        before = signal.signal(signal.SIGINT, signal.default_int_handler)
        threading.Timer(1, signal.raise_signal, [signal.SIGINT]).start()
        with pytest.raises(KeyboardInterrupt):
            daemon.wait(job)
        signal.signal(signal.SIGINT, before)
    else:
        with pytest.raises(Stop):
            daemon.wait(job, **{by: stop})
    until(lambda: daemon.job(job)["state"] == "cancelled", seconds=5)
    until(lambda: not lives(process), seconds=2)


def test_a_wait_may_leave_the_job_alone(daemon: Daemon, dataset: dict) -> None:
    def stop() -> None:
        raise Stop

    job = toy.submit(daemon, dataset, name="left alone", steps=5000)
    with pytest.raises(Stop):
        daemon.wait(job, check=stop, cancel_on_interrupt=False)
    assert daemon.job(job)["state"] in ("queued", "running")
    daemon.cancel(job)
    until(lambda: not workers(daemon.process.pid))
    with pytest.raises(JobFailed) as failure:
        daemon.wait(job)
    assert failure.value.code == "cancelled"


def test_an_interrupted_creation_is_cancelled(daemon: Daemon) -> None:
    def stop() -> None:
        raise Stop

    with pytest.raises(Stop):
        daemon.create("a dog", base=toy.BASE, width=128, height=128, steps=1000, count=64, check=stop)
    until(lambda: next(daemon.creations())["state"] == "cancelled", seconds=5)


def test_lists_are_read_page_by_page(daemon: Daemon) -> None:
    ids = [daemon.upload(toy.PICTURES)["id"] for _ in range(3)]
    page = daemon._http.json("GET", "/v1/datasets", query={"limit": 2})
    assert [one["id"] for one in page["items"]] == ids[:0:-1] and page["next"]
    assert [one["id"] for one in daemon.datasets()][:3] == ids[::-1]


def test_folders_are_uploaded_with_their_names(daemon: Daemon, tmp_path: Path) -> None:
    inside = tmp_path / "pictures" / "3_fox red" / "日本.png"
    inside.parent.mkdir(parents=True)
    inside.write_bytes((toy.PICTURES / "01.png").read_bytes())
    for passed_over in (".hidden.png", "film.mp4", "notes.md"):
        inside.with_name(passed_over).write_bytes(b"x")
    progress: list[tuple[int, int]] = []
    dataset = daemon.upload(tmp_path / "pictures", on_progress=lambda sent, total: progress.append((sent, total)))
    assert [picture["name"] for picture in dataset["pictures"]] == ["3_fox red/日本.png"]
    assert dataset["pictures"][0]["repeats"] == 3 and dataset["skipped"] == []
    assert progress[-1][0] == progress[-1][1] > inside.stat().st_size


def test_it_imports_the_standard_library_alone() -> None:
    for file in CLIENT.glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and not node.level:
                names = [node.module or ""]
            for name in names:
                assert name.partition(".")[0] in sys.stdlib_module_names, f"{file.name} imports {name}"


def test_it_works_inside_an_extension_of_any_name(tmp_path: Path) -> None:
    # ComfyUI loads extensions by path, under a name that is no identifier.
    extension = tmp_path / "comfyui-concepts 2"
    shutil.copytree(CLIENT, extension / "concept_client")
    (extension / "__init__.py").write_text("from .concept_client import Daemon, DaemonNotRunning\n")
    name = str(extension).replace(".", "_x_")
    spec = importlib.util.spec_from_file_location(name, extension / "__init__.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
        assert module.Daemon is not Daemon
        with pytest.raises(module.DaemonNotRunning):
            module.Daemon(tmp_path).version()
    finally:
        for loaded in [loaded for loaded in sys.modules if loaded.startswith(name)]:
            del sys.modules[loaded]
