"""Requests to the daemon over HTTP, and its refusals as exceptions."""

from __future__ import annotations

import contextlib
import http.client
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

from .errors import ConceptdError, DaemonNotRunning

Address = Callable[[], tuple[str, str]]
Answer = tuple[http.client.HTTPConnection, http.client.HTTPResponse]


class Transport:
    """Sends requests, each over a connection of its own: any thread may use it."""

    def __init__(self, address: Address, home: Path | None, timeout: float) -> None:
        """`address` gives URL and token; asked every time, because a daemon that starts again may listen elsewhere."""
        self._address = address
        self._home = home
        self._timeout = timeout

    def open(
        self,
        method: str,
        path: str,
        *,
        query: dict[str, Any] | None = None,
        headers: dict[str, str] | None = None,
        body: bytes | Iterable[bytes] | None = None,
        timeout: float | None = None,
    ) -> Answer:
        """Sends a request and returns the answer unread; the caller closes the connection."""
        url, token = self._address()
        parts = urlsplit(url)
        if query := {key: value for key, value in (query or {}).items() if value is not None}:
            path = f"{path}?{urlencode(query)}"
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=timeout or self._timeout)
        try:
            connection.connect()
            # A refusal may come before all of a large body is sent.
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                connection.request(method, path, body, {"Authorization": f"Bearer {token}", **(headers or {})})
            response = connection.getresponse()
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            raise DaemonNotRunning(self._home, url, f"{type(error).__name__}: {error}".rstrip(": ")) from error
        except BaseException:
            connection.close()
            raise
        if response.status >= 400:
            with contextlib.closing(connection):
                raise _refusal(response)
        return connection, response

    def bytes(self, method: str, path: str, **options: Any) -> bytes:
        """The body of an answer."""
        connection, response = self.open(method, path, **options)
        try:
            return response.read()
        except (OSError, http.client.HTTPException) as error:
            raise DaemonNotRunning(self._home, self._address()[0], f"the answer broke off ({error})") from error
        finally:
            connection.close()

    def json(self, method: str, path: str, body: Any = None, **options: Any) -> Any:
        """Sends JSON, if any, and reads JSON."""
        headers = dict(options.pop("headers", None) or {})
        encoded = None
        if body is not None:
            encoded = json.dumps(body).encode()
            headers["Content-Type"] = "application/json"
        answer = self.bytes(method, path, headers=headers, body=encoded, **options)
        return json.loads(answer) if answer else None

    def download(self, path: str, to: Path) -> None:
        """Writes the body of an answer to a file, which is there whole or not at all."""
        connection, response = self.open("GET", path)
        temporary = to.with_name(f"{to.name}.part")
        try:
            with temporary.open("wb") as file:
                while part := response.read(1 << 16):
                    file.write(part)
            # Reading in parts, http.client does not complain about a body that ends too early.
            if response.length:
                raise DaemonNotRunning(self._home, self._address()[0], "the download broke off")
            temporary.replace(to)
        finally:
            connection.close()
            temporary.unlink(missing_ok=True)


def _refusal(response: http.client.HTTPResponse) -> ConceptdError:
    try:
        text = response.read(1 << 20)
    except (OSError, http.client.HTTPException):
        text = b""
    try:
        problem = json.loads(text)
        return ConceptdError(response.status, problem["code"], problem["detail"], problem.get("field"))
    except (ValueError, KeyError, TypeError):
        # Something between us and the daemon, or no daemon at all.
        detail = text.decode("utf-8", "replace")[:500] or response.reason
        return ConceptdError(response.status, "unknown", detail)
