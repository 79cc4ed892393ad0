"""Listens to a WebSocket, with the standard library alone: what ComfyUI says while it works."""

from __future__ import annotations

import base64
import json
import os
import socket
import struct
import threading
import time
from typing import Any

TEXT, BINARY, CLOSE = 1, 2, 8


class Listener:
    """Collects messages: (time heard, type, data). Binary ones have the type `binary` and their bytes."""

    def __init__(self, port: int, path: str) -> None:
        """Connects."""
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=30)
        key = base64.b64encode(os.urandom(16)).decode()
        head = (
            f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n"
        )
        self._socket.sendall(head.encode())
        self._stream = self._socket.makefile("rb")
        assert b" 101 " in self._stream.readline()
        while self._stream.readline().strip():
            pass
        self._socket.settimeout(None)
        self.messages: list[tuple[float, str, Any]] = []
        threading.Thread(target=self._listen, daemon=True).start()

    def of(self, kind: str) -> list[Any]:
        """The messages of a type so far."""
        return [data for _, type, data in list(self.messages) if type == kind]

    def close(self) -> None:
        """Ends it."""
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def _listen(self) -> None:
        while (frame := self._frame()) is not None:
            opcode, payload = frame
            if opcode == TEXT:
                message = json.loads(payload)
                self.messages.append((time.monotonic(), message["type"], message["data"]))
            elif opcode == BINARY:
                self.messages.append((time.monotonic(), "binary", payload))
            elif opcode == CLOSE:
                return

    def _frame(self) -> tuple[int, bytes] | None:
        head = self._read(2)
        if head is None:
            return None
        length = head[1] & 0x7F
        if length == 126:
            length = struct.unpack(">H", self._read(2) or b"")[0]
        elif length == 127:
            length = struct.unpack(">Q", self._read(8) or b"")[0]
        payload = self._read(length)
        return None if payload is None else (head[0] & 0x0F, payload)

    def _read(self, count: int) -> bytes | None:
        try:
            data = self._stream.read(count)
        except (OSError, ValueError):
            return None
        return data if len(data) == count else None
