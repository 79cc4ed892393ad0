"""Requests that no good client would send, byte for byte as a test wants them."""

from __future__ import annotations

import contextlib
import http.client
import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from concept_client import Daemon


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def problem(self) -> dict[str, Any]:
        """The body as RFC 9457 problem+json, which every refusal must be."""
        assert self.headers.get_content_type() == "application/problem+json", (self.status, self.body[:500])
        problem = json.loads(self.body)
        assert problem["status"] == self.status
        assert problem["type"] == f"urn:conceptd:{problem['code']}"
        assert problem["title"] and problem["detail"]
        return problem


def send(
    daemon: Daemon,
    method: str,
    path: str,
    headers: dict[str, str] | None = None,
    body: bytes | None = None,
    *,
    with_token: bool = True,
) -> Answer:
    """Sends a request; `headers` may replace the usual ones, Host among them."""
    url, token = daemon._address()
    sent = {"Host": urlsplit(url).netloc}
    if with_token:
        sent["Authorization"] = f"Bearer {token}"
    sent.update(headers or {})
    connection = http.client.HTTPConnection(urlsplit(url).hostname, urlsplit(url).port, timeout=30)
    try:
        # `putrequest` adds no headers of its own when told so.
        connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
        for name, value in sent.items():
            connection.putheader(name, value)
        if body is not None or method in ("POST", "PUT", "PATCH"):
            connection.putheader("Content-Length", str(len(body or b"")))
        connection.endheaders()
        # It may be refused before all of it is read.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            connection.send(body or b"")
        response = connection.getresponse()
        streams = response.headers.get_content_type() == "text/event-stream"
        return Answer(response.status, response.headers, b"" if streams else response.read())
    finally:
        connection.close()


def send_json(daemon: Daemon, method: str, path: str, value: Any, headers: dict[str, str] | None = None) -> Answer:
    """Sends JSON, or bytes that are said to be JSON."""
    body = value if isinstance(value, bytes) else json.dumps(value).encode()
    return send(daemon, method, path, {"Content-Type": "application/json", **(headers or {})}, body)


def send_form(daemon: Daemon, path: str, parts: list[tuple[str, str | None, bytes]]) -> Answer:
    """Sends a form of (field, file name, content), with file names as they are."""
    body = b""
    for field, filename, content in parts:
        named = "" if filename is None else f'; filename="{filename}"'
        body += f'--cut\r\nContent-Disposition: form-data; name="{field}"{named}\r\n\r\n'.encode() + content + b"\r\n"
    return send(daemon, "POST", path, {"Content-Type": "multipart/form-data; boundary=cut"}, body + b"--cut--\r\n")
