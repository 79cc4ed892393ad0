"""ComfyUI around us: its folders, its progress bar, its interrupt. Nothing of it is imported before it is needed."""

from __future__ import annotations

import io
import logging
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from PIL.Image import Image

log = logging.getLogger("conceptd")
# Longest side of a picture that is shown while a training runs.
LIVE_PIXELS = 512


def server() -> Any:
    """ComfyUI's web server; None where there is none."""
    try:
        from server import PromptServer
    except ImportError:
        return None
    return getattr(PromptServer, "instance", None)


def folder(kind: str) -> Path | None:
    """Where ComfyUI keeps files of a kind and new ones go; None without ComfyUI."""
    found = folders(kind)
    return found[0] if found else None


def folders(kind: str) -> list[Path]:
    """Every folder where ComfyUI looks for files of a kind."""
    try:
        import folder_paths

        return [Path(path) for path in folder_paths.get_folder_paths(kind)]
    except (ImportError, KeyError):
        return []


def input_folder() -> Path:
    """Where ComfyUI keeps what is given to it."""
    import folder_paths

    return Path(folder_paths.get_input_directory())


def base_folder() -> Path:
    """The folder that holds `models`."""
    import folder_paths

    return Path(folder_paths.base_path)


def url() -> str | None:
    """Where ComfyUI answers, as seen from this machine."""
    address, port = getattr(server(), "address", None), getattr(server(), "port", None)
    if not port:
        return None
    anywhere = {"0.0.0.0": "127.0.0.1", "::": "[::1]", "": "127.0.0.1", None: "127.0.0.1"}
    name = anywhere.get(address, f"[{address}]" if ":" in str(address) else address)
    return f"http://{name}:{port}"


def stop_if_interrupted() -> None:
    """Raises what ends a run when the user pressed the button for that."""
    import comfy.model_management

    comfy.model_management.throw_exception_if_processing_interrupted()


def free_memory() -> None:
    """Lets go of ComfyUI's own models: training needs the card."""
    import comfy.model_management

    comfy.model_management.unload_all_models()
    comfy.model_management.soft_empty_cache()


def progress(node: str | None) -> Callable[[int, int, Image | None], None]:
    """The bar of a node; it is told updates made, all updates, and a picture to show."""
    from comfy.utils import ProgressBar

    bar = ProgressBar(1, node_id=node)

    def show(step: int, steps: int, picture: Image | None = None) -> None:
        bar.update_absolute(step, max(steps, 1), ("JPEG", picture, LIVE_PIXELS) if picture else None)

    return show


def say(text: str, node: str | None) -> None:
    """Shows a text in a node while it runs; `web/conceptd.js` listens."""
    web = server()
    if node is not None and web is not None:
        web.send_sync("conceptd.said", {"node": node, "text": text}, getattr(web, "client_id", None))


def announce() -> None:
    """Tells open pages that there are other concepts now."""
    if web := server():
        web.send_sync("conceptd.concepts", {})


def shown(text: str, png: bytes | None = None, name: str = "") -> dict[str, Any]:
    """What a node returns as `ui` to show a text and a picture when it is done, or was before."""
    if png is None:
        return {"text": [text]}
    import folder_paths

    temporary = Path(folder_paths.get_temp_directory())
    temporary.mkdir(parents=True, exist_ok=True)
    (temporary / name).write_bytes(png)
    return {"text": [text], "images": [{"filename": name, "subfolder": "", "type": "temp"}]}


def opened(png: bytes) -> Image:
    """A picture of PNG bytes."""
    from PIL import Image

    return Image.open(io.BytesIO(png)).convert("RGB")


def blocked() -> Any:
    """Goes out where there is no value yet: nodes behind it do not run."""
    from comfy_execution.graph import ExecutionBlocker

    return ExecutionBlocker(None)
