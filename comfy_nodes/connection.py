"""The daemon as the nodes reach it: found when asked, started when wanted; where it is not, how to start it."""

from __future__ import annotations

import functools
import os
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from . import host
from .concept_client import ConceptdError, Daemon, DaemonNotRunning

T = TypeVar("T")
# Lists are asked for at each look at the nodes, many times a second while a graph is checked.
FRESH_SECONDS = 1.0
LIST_SECONDS = 3.0
START_SECONDS = 60.0


class NotRunning(RuntimeError):
    """Nobody answers; says what to do in ComfyUI."""


def how_to_start(home: Path | None = None) -> str:
    """What to do when the daemon is not running."""
    home = home or Daemon().home
    return (
        f"conceptd is not running (its home is {home}). Press `Start conceptd` in the node, or type `conceptd serve` "
        "in a terminal; then run the graph again"
    )


def told(method: Callable[..., T]) -> Callable[..., T]:
    """Lets a node say how to start the daemon when it is not running."""

    @functools.wraps(method)
    def run(*arguments: Any, **named: Any) -> T:
        try:
            return method(*arguments, **named)
        except DaemonNotRunning as absent:
            raise NotRunning(how_to_start(absent.home)) from absent

    return run


def is_running() -> bool:
    """Whether the daemon answers."""
    return Daemon(timeout=LIST_SECONDS).is_running()


def program() -> str | None:
    """The program of the daemon: CONCEPTD_PROGRAM, on the path, beside these nodes, or where cargo installs."""
    if said := os.environ.get("CONCEPTD_PROGRAM"):
        return said
    name = "conceptd.exe" if sys.platform == "win32" else "conceptd"
    places = [Path(__file__).parent / name, Path.home() / ".cargo" / "bin" / name]
    return shutil.which("conceptd") or next((str(place) for place in places if place.is_file()), None)


def start() -> Daemon:
    """Starts the daemon, with ComfyUI's checkpoints to train on."""
    found = program()
    if found is None:
        raise NotRunning(
            "the program `conceptd` was not found: put it on the PATH or into the folder of these nodes, "
            "or name it in the variable CONCEPTD_PROGRAM"
        )
    return Daemon.start(found, port=None, models=host.folders("checkpoints"), timeout=START_SECONDS)


class Recent:
    """What a function said a moment ago, instead of asking again."""

    def __init__(self, ask: Callable[[Daemon], list[Any]]) -> None:
        """`ask` is given a daemon that is not waited for long."""
        self._ask = ask
        self._said: list[Any] | None = None
        self._until = 0.0

    def __call__(self) -> list[Any] | None:
        """The list; None while the daemon is not running."""
        if time.monotonic() >= self._until:
            try:
                self._said = self._ask(Daemon(timeout=LIST_SECONDS))
            except (DaemonNotRunning, ConceptdError) as error:
                host.log.debug("%s", error)
                self._said = None
            self._until = time.monotonic() + FRESH_SECONDS
        return self._said

    def forget(self) -> None:
        """The next call asks again."""
        self._until = 0.0


models = Recent(lambda daemon: [model for model in daemon.models() if not model["problem"]])
