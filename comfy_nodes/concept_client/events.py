"""The events of a job as they happen, over as many connections as that takes."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import time
from collections.abc import Callable, Iterator

from .errors import DaemonNotRunning
from .transport import Answer
from .views import Event

Connect = Callable[[int], Answer]

FINAL_STATES = frozenset({"done", "failed", "cancelled"})
SHORTEST_PAUSE, LONGEST_PAUSE = 0.1, 2.0


def is_final(event: Event) -> bool:
    """Whether nothing comes behind an event."""
    return event["event"] == "failed" or (event["event"] == "state" and event.get("state") in FINAL_STATES)


class EventStream:
    """Iterates over the events of a job until it is over. When the connection drops, another one goes on."""

    def __init__(self, connect: Connect, last_event_id: int, patience: float) -> None:
        """Begins behind `last_event_id`; gives up when nobody answers for `patience` seconds."""
        self.last_event_id = last_event_id
        self._connect = connect
        self._patience = patience
        self._connection: http.client.HTTPConnection | None = None
        self._closed = False

    def __enter__(self) -> EventStream:
        """For `with`, which closes the stream."""
        return self

    def __exit__(self, *_: object) -> None:
        """Closes the stream."""
        self.close()

    def close(self) -> None:
        """Ends the iteration, from another thread too."""
        self._closed = True
        connection, self._connection = self._connection, None
        if connection is None:
            return
        if connection.sock is not None:
            # Closing alone does not wake a thread that reads.
            with contextlib.suppress(OSError):
                connection.sock.shutdown(socket.SHUT_RDWR)
        connection.close()

    def __iter__(self) -> Iterator[Event]:
        """The events, each once and in order."""
        pause, silent_since = SHORTEST_PAUSE, time.monotonic()
        while not self._closed:
            try:
                connection, response = self._connect(self.last_event_id)
            except DaemonNotRunning:
                if time.monotonic() - silent_since > self._patience:
                    raise
                time.sleep(pause)
                pause = min(pause * 2, LONGEST_PAUSE)
                continue
            self._connection = connection
            try:
                if self._closed or response.status == 204:
                    return
                for event in _parse(response):
                    if event["id"] <= self.last_event_id:
                        continue
                    self.last_event_id = event["id"]
                    pause = SHORTEST_PAUSE
                    yield event
                    if is_final(event):
                        return
            except (OSError, http.client.HTTPException):
                pass
            except (ValueError, AttributeError):
                # What http.client raises when `close` takes the connection away while it reads.
                if not self._closed:
                    raise
            finally:
                connection.close()
            silent_since = time.monotonic()
            time.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE)


def _parse(response: http.client.HTTPResponse) -> Iterator[Event]:
    """The complete events of a text/event-stream; one that is cut off is left to the next connection."""
    data: list[bytes] = []
    while line := response.readline():
        if not line.endswith(b"\n"):
            return
        line = line.rstrip(b"\r\n")
        if line.startswith(b"data:"):
            data.append(line[5:].removeprefix(b" "))
        elif not line and data:
            event = json.loads(b"\n".join(data))
            data.clear()
            yield event
