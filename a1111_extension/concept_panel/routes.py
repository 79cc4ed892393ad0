"""The routes of the tab and of the daemon below `/conceptd/`, on the web UI's own server. They need no `--api`."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from concept_client import ConceptdError, DaemonNotRunning
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from . import form, guard, proxy
from .service import Service
from .webui import WebUI

# What the daemon calls files.
STEM = re.compile(r"[a-z0-9][a-z0-9_-]{0,99}")
BODY_BYTES = 10_000
Handler = Callable[[Request], Awaitable[Response]]


class Routes:
    """Everything below `/conceptd/`."""

    def __init__(self, webui: WebUI, service: Service, exposure: guard.Exposure) -> None:
        """`exposure` says who may reach the web UI."""
        self._webui = webui
        self._service = service
        self._exposure = exposure

    def register(self, app: Any) -> None:
        """Adds them to the web UI's server."""
        for method, path, handler, programs in [
            # For the daemon, which is a program on this machine.
            ("GET", "state", self._state, True),
            ("POST", "refresh", self._refresh, True),
            ("POST", "free", self._free, True),
            # For the tab.
            ("GET", "daemon", self._daemon, False),
            ("POST", "start", self._start, False),
            ("GET", "form", self._form, False),
            ("GET", "host", self._host, False),
            ("POST", "host", self._host, False),
            ("GET", "api/{path:path}", self._api, False),
            ("POST", "api/{path:path}", self._api, False),
        ]:
            guarded = self._guarded(app, handler, programs)
            app.router.add_route(f"/conceptd/{path}", guarded, methods=[method], include_in_schema=False)

    def _guarded(self, app: Any, handler: Handler, programs: bool) -> Handler:
        async def answer(request: Request) -> Response:
            peer = request.client.host if request.client else None
            asked = guard.Asked(request.method, request.headers, peer)
            try:
                guard.check(asked, self._exposure, programs=programs)
                if not programs:
                    guard.check_login(app, request)
                return await handler(request)
            except guard.Refused as refusal:
                return _problem(403, "forbidden", str(refusal))
            except ConceptdError as refusal:
                return _problem(refusal.status, refusal.code, refusal.detail, refusal.field)
            except DaemonNotRunning as absence:
                return _problem(503, "not_running", str(absence))
            except ClientDisconnect:
                return Response(status_code=400)

        return answer

    async def _state(self, _: Request) -> Response:
        webui = self._webui
        return JSONResponse(
            {
                "busy": webui.busy(),
                # This web UI trains nothing of ours inside a picture.
                "training_prompt": False,
                "held_bytes": webui.held_bytes(),
                "loras_dir": str(webui.loras_dir),
                "embeddings_dir": str(webui.embeddings_dir),
                "data_dir": str(webui.data_dir),
                "kind": webui.kind,
            }
        )

    async def _refresh(self, request: Request) -> Response:
        stem = (await _body(request)).get("stem")
        if not isinstance(stem, str) or not STEM.fullmatch(stem):
            return _problem(400, "invalid", "the stem of a concept's files is missing, such as `xander`", "stem")
        return JSONResponse(await _apart(self._webui.refresh, stem))

    async def _free(self, _: Request) -> Response:
        return JSONResponse({"freed": await _apart(self._webui.free)})

    async def _daemon(self, _: Request) -> Response:
        return JSONResponse({**await _apart(self._service.state), "kind": self._webui.kind})

    async def _start(self, _: Request) -> Response:
        await _apart(self._service.start, self._webui.checkpoint_dirs)
        return JSONResponse(await _apart(self._service.state))

    async def _form(self, _: Request) -> Response:
        return JSONResponse(form.fields())

    async def _host(self, request: Request) -> Response:
        webui, service = self._webui, self._service
        try:
            if request.method == "GET":
                return JSONResponse({"id": await _apart(service.host_id, webui)})
            port = (request.scope.get("server") or (None, None))[1]
            url = f"{request.url.scheme}://{webui.address}:{port}"
            return JSONResponse({"id": await _apart(service.make_known, webui, url)})
        except ConceptdError as error:
            if error.status != 404:
                raise
            return _problem(501, "too_old", "this conceptd cannot install yet; replace it by a newer one")

    async def _api(self, request: Request) -> Response:
        path = request.path_params["path"]
        if not proxy.is_allowed(request.method, path, request.headers.get("content-type", "")):
            return _problem(404, "not_found", "the tab does not ask this; the daemon's own page may")
        return await proxy.forward(request, path, self._service.transport)


async def _apart(function: Callable, *arguments: Any) -> Any:
    """Runs what takes a while on a thread of ours."""
    return await asyncio.get_running_loop().run_in_executor(proxy.THREADS, partial(function, *arguments))


async def _body(request: Request) -> dict[str, Any]:
    content = b""
    async for part in request.stream():
        content += part
        if len(content) > BODY_BYTES:
            return {}
    with contextlib.suppress(ValueError):
        if isinstance(value := json.loads(content), dict):
            return value
    return {}


def _problem(status: int, code: str, detail: str, field: str | None = None) -> Response:
    """A refusal in the daemon's own form (RFC 9457)."""
    problem = {"type": f"urn:conceptd:{code}", "title": code, "status": status, "code": code, "detail": detail}
    if field is not None:
        problem["field"] = field
    return JSONResponse(problem, status, media_type="application/problem+json")
