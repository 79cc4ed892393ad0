"""The tab: one element, which `javascript/` fills. What Gradio offers differs between its versions; HTML does not."""

from __future__ import annotations

from typing import Any

import gradio as gr

ROOT = (
    '<div id="conceptd-root" class="conceptd"><p class="conceptd-muted">'
    "The scripts of this tab did not load; reload the page, or look for errors in the browser's console.</p></div>"
)


def tabs() -> list[tuple[Any, str, str]]:
    """What the web UI adds: blocks, title, id."""
    with gr.Blocks(analytics_enabled=False) as blocks:
        gr.HTML(ROOT)
    return [(blocks, "Concepts", "conceptd")]
