"""Waiting for a job while staying ready to be interrupted."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Mapping
from typing import Any

from .errors import JobFailed
from .events import EventStream
from .views import Event

# How often waiting looks up.
TICK_SECONDS = 0.25


class Watch:
    """Passes on the events of a job until it is over."""

    def __init__(
        self,
        stream: EventStream,
        on_progress: Callable[[Event], None] | None,
        check: Callable[[], None] | None,
    ) -> None:
        """`check` is called at every event and several times a second; what it raises ends the watch."""
        self._stream = stream
        self._on_progress = on_progress
        self._check = check
        self._heard: queue.SimpleQueue[Event | BaseException | None] = queue.SimpleQueue()

    def run(self) -> None:
        """Returns when the job is over."""
        # Read on a thread of its own: a read that blocks hears neither Ctrl-C (on Windows) nor `check`.
        threading.Thread(target=self._listen, name="conceptd-events", daemon=True).start()
        try:
            while True:
                if self._check:
                    self._check()
                try:
                    heard = self._heard.get(timeout=TICK_SECONDS)
                except queue.Empty:
                    continue
                if heard is None:
                    return
                if isinstance(heard, BaseException):
                    raise heard
                if self._on_progress:
                    self._on_progress(heard)
        finally:
            self._stream.close()

    def _listen(self) -> None:
        try:
            for event in self._stream:
                self._heard.put(event)
            self._heard.put(None)
        except BaseException as error:
            # Raised again where somebody waits.
            self._heard.put(error)


def failed(ended: Mapping[str, Any]) -> JobFailed:
    """Why a job or a creation that ended has no result."""
    failure = ended.get("failure") or {}
    state = ended["state"]
    return JobFailed(ended["id"], failure.get("code", state), failure.get("reason", f"it was {state}"))
