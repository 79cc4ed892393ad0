"""What the web UI loads: the Concepts tab, its routes, and concepts by name in prompts."""

from __future__ import annotations

import gradio as gr
from concept_panel import infotext, tab
from concept_panel.guard import Exposure
from concept_panel.naming import Names
from concept_panel.routes import Routes
from concept_panel.service import Service
from concept_panel.webui import WebUI
from modules import script_callbacks, scripts, shared

SETTING = "conceptd_by_name"
WEBUI = WebUI()
SERVICE = Service(
    getattr(shared.cmd_opts, "conceptd_home", None),
    getattr(shared.cmd_opts, "conceptd_program", None),
)
NAMES = Names(SERVICE, lambda: WEBUI.loras_dir)


class ConceptsByName(scripts.Script):
    """Lets prompts of txt2img and img2img call concepts by their names."""

    def title(self) -> str:
        """Stands in lists of scripts."""
        return "Concepts by name"

    def show(self, is_img2img: bool) -> object:
        """Always."""
        return scripts.AlwaysVisible

    def ui(self, is_img2img: bool) -> list:
        """One checkbox."""
        checkbox = gr.Checkbox(
            label=infotext.BY_NAME,
            value=getattr(shared.opts, SETTING, True),
            elem_id=self.elem_id("by_name"),
        )
        # Its value at the start is the setting's, not the one that the web UI remembers.
        checkbox.do_not_save_to_config = True
        self.infotext_fields = [(checkbox, infotext.BY_NAME)]
        return [checkbox]

    def before_process(self, p: object, by_name: bool = True) -> None:
        """Before the web UI looks for its model."""
        WEBUI.restore()

    def process(self, p: object, by_name: bool = True) -> None:
        """Before the web UI looks for LoRAs in the prompts."""
        if by_name:
            infotext.rewrite(p, NAMES.expander())


def _pasted(_: str, params: dict) -> None:
    infotext.restore(params, NAMES.expander())


def _settings() -> None:
    option = shared.OptionInfo(True, "Use concepts by name in prompts", section=("conceptd", "Concepts"))
    shared.opts.add_option(SETTING, option)


def _started(_: object, app: object) -> None:
    Routes(WEBUI, SERVICE, Exposure.of(shared.cmd_opts)).register(app)


script_callbacks.on_ui_tabs(tab.tabs)
script_callbacks.on_ui_settings(_settings)
script_callbacks.on_infotext_pasted(_pasted)
script_callbacks.on_app_started(_started)
