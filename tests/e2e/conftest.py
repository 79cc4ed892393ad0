"""What every end-to-end test needs: the program, the toy base, daemons in homes of their own, a reference training."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "schemas" / "python"))

import browsing  # noqa: E402
import toy  # noqa: E402
from concept_client import Daemon  # noqa: E402
from playwright.sync_api import Browser, sync_playwright  # noqa: E402

Launch = Callable[..., Daemon]


@pytest.fixture(scope="session")
def program() -> Path:
    """The program under test: CONCEPTD_BINARY, else the release build."""
    name = "conceptd.exe" if sys.platform == "win32" else "conceptd"
    path = Path(os.environ.get("CONCEPTD_BINARY") or ROOT / "target" / "release" / name).resolve()
    if not path.is_file():
        pytest.exit(f"{path} is not there; `cargo build --release` makes it, CONCEPTD_BINARY names another", 2)
    # The settings of whoever runs the tests are none of theirs.
    for variable in [name for name in os.environ if name.startswith("CONCEPTD_") and name != "CONCEPTD_FUZZ_REQUESTS"]:
        del os.environ[variable]
    return path


@pytest.fixture(scope="session")
def toy_base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The toy base, in a folder of models."""
    return toy.unpack_base(tmp_path_factory.mktemp("base") / "models")


@pytest.fixture(scope="session")
def kojii_zip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pictures as an archive."""
    return toy.zip_pictures(tmp_path_factory.mktemp("pictures") / "kojii.zip")


@pytest.fixture(scope="session")
def reference(program: Path, toy_base: Path, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The bundle that an undisturbed `conceptd train` makes."""
    return toy.train_by_command(program, toy.PICTURES, toy_base, tmp_path_factory.mktemp("reference")).read_bytes()


@pytest.fixture(scope="module")
def launch(program: Path, toy_base: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Launch]:
    """Starts daemons, each in a fresh home unless told which; they are ended with the module."""
    started: list[subprocess.Popen] = []

    def launch(home: Path | None = None, models: Path | None = toy_base.parent, **options: object) -> Daemon:
        home = home or tmp_path_factory.mktemp("home") / "conceptd"
        daemon = Daemon.start(program, home, models=[models] if models else [], **options)
        assert daemon.process is not None, f"another daemon has {home}"
        started.append(daemon.process)
        return daemon

    yield launch
    for process in started:
        process.terminate()
    for process in started:
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()


@pytest.fixture(scope="module")
def daemon(launch: Launch) -> Daemon:
    """A daemon for all tests of a module."""
    return launch()


@pytest.fixture(scope="module")
def dataset(daemon: Daemon) -> dict:
    """The pictures in that daemon."""
    return daemon.upload(toy.PICTURES)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A browser; its event loop must not outlive the tests that use it."""
    with sync_playwright() as playwright:
        browser = browsing.start(playwright)
        yield browser
        browser.close()
