"""A stand-in for a running ComfyUI: lists what lies in its folders, has a queue, and frees memory late, as ComfyUI does.

Put into a folder as `main.py` beside a folder `comfy`, it is started as ComfyUI is: `python main.py --port 8190
--base-directory FOLDER`. `POST /stand-in` sets its state: what runs, and how many bytes of a card it holds.
"""

from __future__ import annotations

import argparse
import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

STATE = {"running": [], "held": 0, "freed": 0}


def listed(folder: Path, suffix: bool) -> list[str]:
    """The models of a folder, as ComfyUI names them."""
    found = sorted(path.relative_to(folder) for path in folder.rglob("*.safetensors"))
    return [str(path if suffix else path.with_suffix("")) for path in found]


class Handler(BaseHTTPRequestHandler):
    """The routes that conceptd uses."""

    models: Path

    def do_GET(self) -> None:
        """Lists, the queue, memory."""
        card = {"name": "stand-in", "type": "cuda", "torch_vram_total": STATE["held"], "vram_free": 1 << 33}
        answers = {
            "/models/loras": lambda: listed(self.models / "loras", True),
            "/embeddings": lambda: listed(self.models / "embeddings", False),
            "/queue": lambda: {"queue_running": STATE["running"], "queue_pending": []},
            "/system_stats": lambda: {"system": {"comfyui_version": "0.0"}, "devices": [card]},
            "/stand-in": lambda: STATE,
        }
        self._answer(answers.get(self.path))

    def do_POST(self) -> None:
        """Freeing, and the switches of the stand-in."""
        body = json.loads(self.rfile.read(int(self.headers["content-length"])) or "{}")
        if self.path == "/free":
            assert body == {"unload_models": True, "free_memory": True}
            STATE.update(held=0, freed=STATE["freed"] + 1)
            self._answer(None, 200)
        elif self.path == "/stand-in":
            STATE.update(body)
            self._answer(lambda: STATE)
        else:
            self._answer(None)

    def _answer(self, make: object, status: int = 404) -> None:
        body = json.dumps(make()).encode() if make else b""
        self.send_response(200 if make else status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: object) -> None:
        """Says nothing."""


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--base-directory", type=Path, required=True)
    arguments = parser.parse_args()
    Handler.models = arguments.base_directory / "models"
    ThreadingHTTPServer(("127.0.0.1", arguments.port), Handler).serve_forever()
