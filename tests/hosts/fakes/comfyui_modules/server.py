"""As in ComfyUI: the web server, which writes down what it is told to send."""

from __future__ import annotations

from typing import Any


class Routes:
    """What `aiohttp.web.RouteTableDef` is used for."""

    def __init__(self) -> None:
        """None yet."""
        self.handlers: dict[tuple[str, str], Any] = {}

    def get(self, path: str) -> Any:
        """Takes a handler."""
        return lambda handler: self.handlers.setdefault(("GET", path), handler)

    def post(self, path: str) -> Any:
        """Takes a handler."""
        return lambda handler: self.handlers.setdefault(("POST", path), handler)


class PromptServer:
    """The server; `instance` is the one that runs."""

    instance: PromptServer

    def __init__(self) -> None:
        """Listens nowhere."""
        PromptServer.instance = self
        self.address = "127.0.0.1"
        self.port = 8188
        self.client_id = "page"
        self.routes = Routes()
        self.sent: list[tuple[str, Any, str | None]] = []

    def send_sync(self, event: str, data: Any, sid: str | None = None) -> None:
        """Sends to a page, or to all."""
        self.sent.append((event, data, sid))
