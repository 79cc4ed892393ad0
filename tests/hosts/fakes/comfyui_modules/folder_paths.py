"""As in ComfyUI: where it keeps things. A test says where by `base_path`."""

from __future__ import annotations

from pathlib import Path

base_path = ""


def get_folder_paths(folder_name: str) -> list[str]:
    """Folders of a kind of model."""
    return [str(Path(base_path) / "models" / folder_name)]


def get_input_directory() -> str:
    """Where people put pictures."""
    return str(Path(base_path) / "input")


def get_temp_directory() -> str:
    """Where previews go."""
    return str(Path(base_path) / "temp")
