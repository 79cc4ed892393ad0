"""A real ComfyUI, headless on the CPU, with our nodes in a base folder of its own."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from processes import until
from socket_listener import Listener

ROOT = Path(__file__).parents[2]
NODES = ROOT / "comfy_nodes"
# Loading PyTorch may take its time on a busy machine.
START_SECONDS = 180
CLIENT = "conceptd-test"


def free_port() -> int:
    """One that nobody listens on."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


class ComfyUI:
    """A running ComfyUI."""

    def __init__(self, checkout: Path, python: Path, base: Path, nodes: Path = NODES, **variables: object) -> None:
        """Starts it, with variables of the environment."""
        self.base = base
        for folder in ("custom_nodes", "models/checkpoints", "models/loras", "models/embeddings", "user"):
            (base / folder).mkdir(parents=True, exist_ok=True)
        shutil.copytree(nodes, base / "custom_nodes" / "conceptd", ignore=shutil.ignore_patterns("__pycache__"))
        self.port = free_port()
        command = [
            *(python, "main.py", "--cpu", "--listen", "127.0.0.1", "--port", str(self.port)),
            *("--base-directory", base, "--disable-auto-launch", "--disable-api-nodes"),
            *("--database-url", "sqlite:///:memory:"),
        ]
        self.log_path = base / "comfyui.log"
        environment = {**os.environ, "PYTHONUNBUFFERED": "1", **{key: str(said) for key, said in variables.items()}}
        with self.log_path.open("wb") as log:
            self.process = subprocess.Popen(
                command, cwd=checkout, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment
            )
        try:
            until(self._answers, START_SECONDS, every=0.2)
        except AssertionError:
            self.stop()
            raise AssertionError(f"ComfyUI does not answer:\n{self.log()[-4000:]}") from None
        self.heard = Listener(self.port, f"/ws?clientId={CLIENT}")

    def _answers(self) -> bool:
        assert self.process.poll() is None, f"ComfyUI ended:\n{self.log()[-4000:]}"
        try:
            return bool(self.get("/system_stats"))
        except OSError:
            return False

    def stop(self) -> None:
        """Ends it."""
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()

    def log(self) -> str:
        """What it said."""
        return self.log_path.read_text(encoding="utf-8", errors="replace")

    def get(self, path: str) -> Any:
        """JSON of a route."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=60) as answer:
            return json.loads(answer.read())

    def post(self, path: str, body: Any = None, headers: dict[str, str] | None = None) -> tuple[int, Any]:
        """Status and JSON of what is answered to JSON."""
        data = json.dumps(body).encode() if body is not None else b""
        head = {"Content-Type": "application/json", **(headers or {})}
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", data, head, method="POST")
        try:
            with urllib.request.urlopen(request, timeout=120) as answer:
                status, text = answer.status, answer.read()
        except urllib.error.HTTPError as refusal:
            status, text = refusal.code, refusal.read()
        try:
            return status, json.loads(text)
        except ValueError:
            return status, text.decode("utf-8", "replace")

    def queue(self, graph: dict[str, Any]) -> str:
        """Queues a graph in API format; returns its id."""
        status, said = self.post("/prompt", {"prompt": graph, "client_id": CLIENT})
        assert status == 200, said
        return said["prompt_id"]

    def ended(self, prompt: str, seconds: float = 300) -> dict[str, Any]:
        """The record of a run, when it is over."""
        return until(lambda: self.get(f"/history/{prompt}").get(prompt), seconds, every=0.05)

    def run(self, graph: dict[str, Any], seconds: float = 300) -> dict[str, Any]:
        """Runs a graph to its good end; returns what its nodes show."""
        record = self.ended(self.queue(graph), seconds)
        assert record["status"]["status_str"] == "success", json.dumps(record["status"], indent=1)[-3000:]
        return record["outputs"]

    def choices(self, node: str, name: str) -> list[str]:
        """What a list offers now."""
        inputs = self.get(f"/object_info/{node}")[node]["input"]
        described = {**inputs["required"], **inputs.get("optional", {})}[name]
        return described[0] if isinstance(described[0], list) else described[1]["options"]
