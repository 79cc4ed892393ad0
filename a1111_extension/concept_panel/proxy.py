"""The daemon's API for the tab: a fixed list of routes, with the token added on this side, as streams both ways."""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from concept_client.transport import Answer, Transport
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

PART_BYTES = 1 << 16
# The daemon says a word every 15 s on a stream of events, and looks at every picture before it answers an upload.
STREAM_TIMEOUT, UPLOAD_TIMEOUT = 45.0, 1800.0
# Own threads: the web UI's are for drawing.
THREADS = ThreadPoolExecutor(64, thread_name_prefix="conceptd")

# With files only: a path would be read by the daemon, which reaches further than a page should.
UPLOAD = "v1/datasets"
_ID = r"[A-Za-z0-9][A-Za-z0-9_-]*"
_FILE = r"[A-Za-z0-9][A-Za-z0-9_.-]*"
ROUTES = [
    (method, re.compile(path.replace("{id}", _ID).replace("{file}", _FILE)))
    for method, path in [
        ("GET", "v1/(version|limits|models)"),
        ("POST", UPLOAD),
        ("GET", "v1/datasets/{id}"),
        ("POST", "v1/plans"),
        ("GET", "v1/jobs"),
        ("POST", "v1/jobs"),
        ("GET", "v1/jobs/{id}"),
        ("POST", "v1/jobs/{id}/(cancel|pause|resume|sample)"),
        ("GET", "v1/jobs/{id}/(events|loss|samples)"),
        ("GET", "v1/jobs/{id}/samples/{file}"),
        ("GET", "v1/concepts"),
        ("GET", "v1/concepts/{id}"),
        ("GET", "v1/concepts/{id}/preview"),
        ("POST", "v1/concepts/{id}/(install|uninstall)"),
        ("POST", "v1/prompts"),
    ]
]
QUERY = ("after", "limit")
SENT = ("accept", "content-type", "content-length", "last-event-id", "idempotency-key")
RETURNED = ("Content-Type", "Content-Length", "Cache-Control", "ETag")


def is_allowed(method: str, path: str, content_type: str = "") -> bool:
    """Whether the tab may ask this of the daemon."""
    if (method, path) == ("POST", UPLOAD) and not content_type.startswith("multipart/form-data"):
        return False
    return any(method == allowed and pattern.fullmatch(path) for allowed, pattern in ROUTES)


async def forward(request: Request, path: str, transport: Callable[[float], Transport]) -> Response:
    """Passes a request on. Raises ConceptdError for a refusal and DaemonNotRunning if nobody answers."""
    loop = asyncio.get_running_loop()
    headers = {name: request.headers[name] for name in SENT if name in request.headers}
    query = {name: request.query_params[name] for name in QUERY if name in request.query_params}
    body = None if request.method == "GET" else _body(request, loop)
    timeout = UPLOAD_TIMEOUT if path == UPLOAD else STREAM_TIMEOUT

    def send() -> Answer:
        return transport(timeout).open(request.method, f"/{path}", query=query, headers=headers, body=body)

    connection, response = await loop.run_in_executor(THREADS, send)
    returned = {name: response.headers[name] for name in RETURNED if name in response.headers}
    returned["X-Content-Type-Options"] = "nosniff"
    if response.headers.get_content_type() == "text/event-stream":
        # Said to be encoded already, or the web UI would collect events until they are worth compressing.
        returned["Content-Encoding"] = "identity"
    return StreamingResponse(_parts(connection, response, loop), response.status, returned)


def _body(request: Request, loop: asyncio.AbstractEventLoop) -> Iterator[bytes]:
    """The body of a request, read on the loop while the thread that asks for it sends it on."""
    stream = request.stream()

    async def part() -> bytes | None:
        return await anext(stream, None)

    while (content := asyncio.run_coroutine_threadsafe(part(), loop).result()) is not None:
        if content:
            yield content


async def _parts(connection: Any, response: Any, loop: asyncio.AbstractEventLoop) -> AsyncIterator[bytes]:
    try:
        while part := await loop.run_in_executor(THREADS, response.read1, PART_BYTES):
            yield part
    finally:
        # Closing alone does not wake a thread that reads.
        if connection.sock is not None:
            with contextlib.suppress(OSError):
                connection.sock.shutdown(socket.SHUT_RDWR)
        connection.close()
