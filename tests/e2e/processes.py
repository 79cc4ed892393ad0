"""Looking at the processes of a daemon, and waiting for things to happen."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

import psutil

T = TypeVar("T")


def until(condition: Callable[[], T], seconds: float = 30.0, every: float = 0.02) -> T:
    """Looks again and again until something is so, and returns it; fails when that takes too long."""
    deadline = time.monotonic() + seconds
    while not (result := condition()):
        assert time.monotonic() < deadline, f"this did not happen within {seconds:g} s"
        time.sleep(every)
    return result


def workers(daemon_pid: int) -> list[psutil.Process]:
    """The living workers of a daemon."""
    try:
        children = psutil.Process(daemon_pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []
    return [child for child in children if lives(child)]


def lives(process: psutil.Process) -> bool:
    """Whether a process runs; one that only waits to be noticed as dead does not."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def worker(daemon_pid: int, seconds: float = 10.0) -> psutil.Process:
    """The one worker of a daemon, as soon as it is there."""
    [process] = until(lambda: workers(daemon_pid), seconds, every=0.005)
    return process
