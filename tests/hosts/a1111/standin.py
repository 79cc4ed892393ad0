"""A stand-in for AUTOMATIC1111's web UI or Forge: it loads the extension as they do and serves its tab and routes.

Run by a Python with Gradio it makes the page; without Gradio (`--bare`) only the routes. `/standin/...` lets tests
draw, paste and change what the web UI would change by itself. It prints its address when it listens.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import socket
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))


def main() -> None:
    """Serves until it is ended."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--extension", type=Path, required=True)
    parser.add_argument("--kind", choices=["a1111", "forge"], required=True)
    parser.add_argument("--data-dir", type=Path, required=True)
    parser.add_argument("--bare", action="store_true")
    for flag in ("listen", "share"):
        parser.add_argument(f"--{flag}", action="store_true")
    for value in ("ngrok", "server-name", "gradio-auth", "ckpt-dir"):
        parser.add_argument(f"--{value}")
    # The extension adds options of its own before any is read.
    _module(parser.parse_known_args()[0].extension, "preload").preload(parser)
    options = parser.parse_args()
    if options.bare:
        sys.path.insert(0, str(HERE / "bare"))

    from modules import networks, paths, script_callbacks, scripts, sd_models, shared

    data: Path = options.data_dir
    options.lora_dir, options.embeddings_dir = str(data / "models/Lora"), str(data / "embeddings")
    for folder in (options.lora_dir, options.embeddings_dir, data / "models/Stable-diffusion"):
        os.makedirs(folder, exist_ok=True)
    paths.data_path, paths.models_path = str(data), str(data / "models")
    shared.cmd_opts = options
    sys.modules["networks"] = networks
    networks.list_available_networks()
    if options.kind == "forge":
        # Its own package, by which it is known.
        forge = sys.modules["modules_forge"] = ModuleType("modules_forge")
        forge.__spec__ = importlib.util.spec_from_loader("modules_forge", None)
    sd_models.begin(options.kind)
    classes = scripts.load(options.extension)
    for callback in script_callbacks.registered["ui_settings"]:
        callback()
    (_bare if options.bare else _gradio)(options, classes)


def _module(extension: Path, name: str) -> Any:
    spec = importlib.util.spec_from_file_location(name, extension / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _bare(options: argparse.Namespace, classes: list[type]) -> None:
    import uvicorn
    from modules import script_callbacks, scripts
    from starlette.applications import Starlette

    for callback in script_callbacks.registered["ui_tabs"]:
        callback()
    app = Starlette()
    _routes(app, options, scripts.always_on(classes, is_img2img=False))
    _middleware(app)
    for callback in script_callbacks.registered["app_started"]:
        callback(None, app)
    address = "0.0.0.0" if options.listen else "127.0.0.1"
    with socket.create_server((address, 0)) as listener:
        _say(f"http://127.0.0.1:{listener.getsockname()[1]}")
        uvicorn.Server(uvicorn.Config(app, log_level="warning")).run(sockets=[listener])


def _gradio(options: argparse.Namespace, classes: list[type]) -> None:
    import gradio as gr
    from modules import script_callbacks, scripts

    tabs = [tab for callback in script_callbacks.registered["ui_tabs"] for tab in callback()]
    with gr.Blocks(title="stand-in", analytics_enabled=False) as txt2img:
        gr.Textbox(label="Prompt")
        controls = scripts.always_on(classes, is_img2img=False)
    with gr.Blocks(title="stand-in", analytics_enabled=False) as demo, gr.Tabs():
        for blocks, title, name in [(txt2img, "txt2img", "txt2img"), *tabs]:
            with gr.TabItem(title, id=name, elem_id=f"tab_{name}"):
                blocks.render()
    _inject(gr, options.extension)
    app, address, _ = demo.queue().launch(
        server_name="0.0.0.0" if options.listen else None,
        server_port=_free_port(),
        auth=tuple(options.gradio_auth.split(":", 1)) if options.gradio_auth else None,
        prevent_thread_lock=True,
        allowed_paths=[str(options.extension)],
        show_api=False,
    )
    _routes(app, options, controls)
    # As A1111 does: the stack is made again with the next request.
    app.middleware_stack = None
    _middleware(app)
    for callback in script_callbacks.registered["app_started"]:
        callback(demo, app)
    _say(address.rstrip("/"))
    demo.block_thread()


def _say(address: str) -> None:
    print(f"listens at {address}", flush=True)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def _inject(gr: ModuleType, extension: Path) -> None:
    """Puts the extension's scripts and style into the page."""

    def link(path: Path) -> str:
        return f"file={path.as_posix()}?{path.stat().st_mtime}"

    files = sorted((extension / "javascript").glob("*.js"))
    scripts = "".join(f'<script src="{link(path)}"></script>' for path in files)
    style = f'<link rel="stylesheet" property="stylesheet" href="{link(extension / "style.css")}">'
    original = gr.routes.templates.TemplateResponse

    def response(*arguments: Any, **named: Any) -> Any:
        made = original(*arguments, **named)
        made.body = made.body.replace(b"</head>", f"{scripts}</head>".encode())
        made.body = made.body.replace(b"</body>", f"{style}</body>".encode())
        made.init_headers()
        return made

    gr.routes.templates.TemplateResponse = response


def _middleware(app: Any) -> None:
    from starlette.middleware.gzip import GZipMiddleware

    app.add_middleware(GZipMiddleware, minimum_size=1000)


def _routes(app: Any, options: argparse.Namespace, controls: list[Any]) -> None:
    """What tests ask of the stand-in itself."""
    from modules import drawing, sd_models, shared
    from starlette.requests import Request
    from starlette.responses import JSONResponse

    values = [script.controls[0].value for script in controls]

    async def act(request: Request) -> JSONResponse:
        said = await request.json()
        action = request.path_params["action"]
        if action == "draw":
            chosen = [said["by_name"]] if "by_name" in said else values
            return JSONResponse(drawing.draw(controls, chosen, said["prompts"], said.get("hires")))
        if action == "paste":
            return JSONResponse(drawing.paste(controls, said["infotext"]))
        if action == "load":
            sd_models.load(options.kind, Path(options.embeddings_dir), said["width"])
        elif action == "job":
            shared.state.job, shared.state.job_count = said["job"], 1 if said["job"] else 0
        return JSONResponse({"on_card": getattr(sd_models.model_data.sd_model, "on_card", None)})

    app.router.add_route("/standin/{action}", act, methods=["POST"])


if __name__ == "__main__":
    main()
