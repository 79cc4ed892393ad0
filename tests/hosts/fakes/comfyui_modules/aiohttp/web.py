"""Answers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any


class Response:
    """An answer."""

    def __init__(
        self,
        *,
        body: bytes = b"",
        status: int = 200,
        headers: Mapping[str, str] | None = None,
        content_type: str | None = None,
    ) -> None:
        """Bytes."""
        self.body = body
        self.status = status
        self.content_type = content_type


def json_response(data: Any, *, status: int = 200) -> Response:
    """JSON."""
    return Response(body=json.dumps(data).encode(), status=status, content_type="application/json")
