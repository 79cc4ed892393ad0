"""What extensions want to hear of."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable

registered: dict[str, list[Callable]] = defaultdict(list)


def on_ui_tabs(callback: Callable) -> None:
    registered["ui_tabs"].append(callback)


def on_ui_settings(callback: Callable) -> None:
    registered["ui_settings"].append(callback)


def on_infotext_pasted(callback: Callable) -> None:
    registered["infotext_pasted"].append(callback)


def on_app_started(callback: Callable) -> None:
    registered["app_started"].append(callback)
