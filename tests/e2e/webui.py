"""Stand-ins of AUTOMATIC1111's web UI and Forge with the extension in them, as programs that tests talk to."""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

ROOT = Path(__file__).parents[2]
EXTENSION = ROOT / "a1111_extension"
STANDIN = ROOT / "tests" / "hosts" / "a1111" / "standin.py"
JSON = {"Content-Type": "application/json"}
OURS = {"X-Conceptd": "1"}


class WebUI:
    """A running stand-in."""

    def __init__(self, url: str, data: Path) -> None:
        self.url, self.data = url, data
        self.loras, self.embeddings = data / "models" / "Lora", data / "embeddings"

    def connect(self) -> http.client.HTTPConnection:
        """A connection to it."""
        return http.client.HTTPConnection(urlsplit(self.url).netloc, timeout=60)

    def ask(self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None) -> tuple[int, bytes]:
        """Sends a request, JSON unless the body is bytes; `headers` may replace the usual ones, Host among them."""
        content = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        connection = self.connect()
        sent = {**(JSON if content is not None else {}), **(headers or {})}
        try:
            connection.request(method, path, content, sent)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def get(self, path: str) -> Any:
        """What the page reads."""
        status, content = self.ask("GET", path)
        assert status == 200, (status, content)
        return json.loads(content)

    def post(self, path: str, body: Any = None, status: int = 200) -> Any:
        """What the page does."""
        got, content = self.ask("POST", path, {} if body is None else body, OURS)
        assert got == status, (got, content)
        return json.loads(content)


@contextmanager
def running(
    data: Path,
    kind: str = "a1111",
    *flags: str,
    home: Path,
    python: str | None = None,
    environment: Mapping[str, str] | None = None,
) -> Iterator[WebUI]:
    """Starts a stand-in with its data in a folder, on a Python with Gradio or else on this one without."""
    command = [python or sys.executable, str(STANDIN), *([] if python else ["--bare"])]
    command += ["--extension", str(EXTENSION), "--kind", kind, "--data-dir", str(data), "--conceptd-home", str(home)]
    # Nothing of ours may come from elsewhere, and Gradio asks nobody about itself.
    variables = {name: value for name, value in os.environ.items() if not name.startswith(("CONCEPTD_", "PYTHON"))}
    variables.update(GRADIO_ANALYTICS_ENABLED="False", PYTHONDONTWRITEBYTECODE="1", PYTHONUNBUFFERED="1")
    variables.update(environment or {})
    with (data.parent / f"{data.name}.log").open("w+") as log:
        process = subprocess.Popen(
            [*command, *flags], stdout=subprocess.PIPE, stderr=log, text=True, env=variables, cwd=data.parent
        )
        try:
            address = next((line.split()[-1] for line in process.stdout if line.startswith("listens at ")), None)
            log.seek(0)
            assert address, f"the stand-in did not start:\n{log.read()}"
            yield WebUI(address, data)
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()


def install(
    webui: WebUI, stem: str, name: str, *, mode: str = "object", width: int = 2048, age: int = 0, **more: Any
) -> None:
    """Puts files of a concept where an installation puts them; `age` makes them older by so many seconds."""
    lora = webui.loras / f"{stem}_lora.safetensors"
    _tensors(lora, {"lora_unet_a.lora_down.weight": 4})
    _tensors(webui.embeddings / f"{stem}_embeddings.safetensors", {"clip_l": width // 2, "clip_g": width - width // 2})
    concept = {"id": f"concept-{stem}", "name": name, "mode": mode, "stem": stem, "tokens": 3, "bare_name": True}
    sidecar = {"activation text": f"{stem}_embeddings", "conceptd": {**concept, "strength": 1.0, **more}}
    lora.with_suffix(".json").write_text(json.dumps(sidecar), encoding="utf-8")
    if age:
        moment = lora.stat().st_mtime - age
        os.utime(lora, (moment, moment))


def _tensors(path: Path, widths: dict[str, int]) -> None:
    header, at = {}, 0
    for name, width in widths.items():
        header[name] = {"dtype": "F32", "shape": [1, width], "data_offsets": [at, at := at + 4 * width]}
    encoded = json.dumps(header).encode()
    path.write_bytes(len(encoded).to_bytes(8, "little") + encoded + bytes(at))
