"""What can go wrong between this client and the daemon."""

from __future__ import annotations

from pathlib import Path


class ConceptdError(Exception):
    """The daemon refused a request; the attributes are those of its problem+json (RFC 9457)."""

    def __init__(self, status: int, code: str, detail: str, field: str | None = None) -> None:
        """`code` is stable and for programs, `detail` for people; `field` names the part of the request."""
        super().__init__(f"{field}: {detail}" if field else detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.field = field


class DaemonNotRunning(ConnectionError):
    """Nobody answers where the daemon should be."""

    def __init__(self, home: Path | None, url: str | None = None, reason: str = "") -> None:
        """`home` is the home folder that was looked in, `url` where nobody answered."""
        if home is None:
            text = f"conceptd does not answer at {url}. Start it there with `conceptd serve`"
        else:
            where = f" (it said {url})" if url else ""
            text = (
                f"conceptd is not running for the home {home}{where}. "
                f'Start it with `conceptd serve --home "{home}"`, or call `Daemon.start(home=...)`'
            )
        super().__init__(f"{text}: {reason}" if reason else text)
        self.home = home
        self.url = url
        self.reason = reason


class JobFailed(Exception):
    """A job or a creation ended without a result. A cancelled one has the code `cancelled`."""

    def __init__(self, id: str, code: str, reason: str) -> None:
        """`code` is stable and for programs, `reason` says what happened and what to do."""
        super().__init__(f"{id}: {reason}")
        self.id = id
        self.code = code
        self.reason = reason
