"""Where the daemon lives: its home folder, how a running one is found there, and how one is started."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO

from .errors import DaemonNotRunning

POLL_SECONDS = 0.05


def usual_home() -> Path:
    """`CONCEPTD_HOME`, else `conceptd` in the platform's folder for data; the daemon's own rule."""
    if home := os.environ.get("CONCEPTD_HOME"):
        return Path(home)
    return _data_folder() / "conceptd"


def _data_folder() -> Path:
    windows = sys.platform == "win32"
    user = Path(os.environ.get("USERPROFILE" if windows else "HOME") or ".")
    if windows:
        return Path(os.environ.get("LOCALAPPDATA") or user / "AppData/Local")
    if sys.platform == "darwin":
        return user / "Library/Application Support"
    return Path(os.environ.get("XDG_DATA_HOME") or user / ".local/share")


def beacon(home: Path) -> dict | None:
    """What `daemon.json` says ({pid, port, url, version}). The daemon that wrote it may be gone."""
    try:
        said = json.loads((home / "daemon.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return said if isinstance(said, dict) and isinstance(said.get("url"), str) else None


def token(home: Path) -> str:
    """The secret that requests must show; empty if there is none yet."""
    try:
        return (home / "token").read_text(encoding="utf-8").strip()
    except OSError:
        return ""


def launch(
    program: str | os.PathLike[str],
    home: Path,
    arguments: Sequence[str],
    answers: Callable[[], bool],
    seconds: float,
) -> subprocess.Popen:
    """Starts `conceptd serve`, detached from this process, and waits until it answers."""
    command = [os.fspath(program), "serve", "--home", os.fspath(home), *arguments]
    # A file, not a pipe: the daemon outlives whoever would read the pipe.
    with tempfile.TemporaryFile() as words:
        try:
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=words, stderr=subprocess.STDOUT, **_detached()
            )
        except OSError as error:
            raise DaemonNotRunning(home, reason=f"`{command[0]}` cannot be started ({error})") from error
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            # Asked first whether it ended: one that finds the home taken leaves while the other answers.
            ended = process.poll() is not None
            if answers():
                return process
            if ended:
                reason = f"it ended with status {process.returncode}: {_last_words(words)}"
                raise DaemonNotRunning(home, reason=reason)
            time.sleep(POLL_SECONDS)
        process.terminate()
        reason = f"it did not answer within {seconds:g} s: {_last_words(words)}"
        raise DaemonNotRunning(home, reason=reason)


def _detached() -> dict:
    if sys.platform == "win32":
        # A hidden console of its own: with none at all, each worker of the daemon would open a window.
        return {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW}
    return {"start_new_session": True}


def _last_words(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read()[-2000:].decode("utf-8", "replace").strip() or "it said nothing"
