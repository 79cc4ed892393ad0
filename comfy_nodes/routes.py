"""What the page of ComfyUI asks of these nodes, under `/conceptd`."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from . import catalog, connection, host
from .concept_client import DaemonNotRunning

if TYPE_CHECKING:
    from aiohttp.web import Request, Response


def add(routes: Any) -> None:
    """Adds them to ComfyUI's."""
    from aiohttp import web

    @routes.get("/conceptd/state")
    async def state(_: Request) -> Response:
        return web.json_response(await asyncio.to_thread(_state))

    @routes.get("/conceptd/concepts")
    async def concepts(_: Request) -> Response:
        return web.json_response(await asyncio.to_thread(catalog.labels))

    @routes.get("/conceptd/preview")
    async def preview(request: Request) -> Response:
        try:
            picked = await asyncio.to_thread(catalog.pick, request.query.get("concept", ""))
        except ValueError as error:
            return web.json_response({"error": str(error)}, status=404)
        png = await asyncio.to_thread(catalog.preview, picked)
        if png is None:
            return web.json_response({"error": f"{picked['name']} has no picture"}, status=404)
        return web.Response(body=png, content_type="image/png", headers={"Cache-Control": "no-cache"})

    @routes.post("/conceptd/start")
    async def start(request: Request) -> Response:
        if foreign(request.headers):
            return web.json_response({"error": "this is for the page of this ComfyUI alone"}, status=403)
        try:
            await asyncio.to_thread(connection.start)
        except (connection.NotRunning, DaemonNotRunning) as error:
            return web.json_response({"error": str(error)}, status=503)
        connection.models.forget()
        catalog.changed()
        return web.json_response(await asyncio.to_thread(_state))


def _state() -> dict[str, Any]:
    running = connection.is_running()
    how = None if running else connection.how_to_start()
    return {"running": running, "program": connection.program() is not None, "how": how}


def foreign(headers: Any) -> bool:
    """Whether a page of another origin sends a request. ComfyUI asks the same, but not with `--enable-cors-header`."""
    if headers.get("Sec-Fetch-Site", "same-origin") not in ("same-origin", "none"):
        return True
    origin = headers.get("Origin")
    return origin is not None and urlsplit(origin).netloc.lower() != headers.get("Host", "").lower()


def register() -> None:
    """Adds the routes if ComfyUI's server is there; without it the nodes work all the same."""
    web = host.server()
    if web is not None:
        add(web.routes)
