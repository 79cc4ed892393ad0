"""The built-in extension for LoRAs, which the web UI imports as `networks`: it lists its folder when it is told to."""

from __future__ import annotations

from pathlib import Path

from . import shared

available_networks: dict[str, Path] = {}


def list_available_networks() -> None:
    available_networks.clear()
    available_networks.update({file.stem: file for file in Path(shared.cmd_opts.lora_dir).rglob("*.safetensors")})
