"""How a picture is asked for: scripts change prompts, LoRA tags are taken out, and all of it is written down."""

from __future__ import annotations

import json
import re
from types import SimpleNamespace
from typing import Any

from . import networks, script_callbacks, sd_models

LORA = re.compile(r"<lora:([^:>]+):([^>]+)>")
PARAMETER = re.compile(r'\s*(\w[\w \-/]+):\s*("(?:\\.|[^\\"])+"|[^,]*)(?:,|$)')


def draw(scripts: list[Any], values: list[bool], prompts: list[str], hires: str | None = None) -> dict[str, Any]:
    """Goes through what the web UI does with prompts, but for drawing."""
    p = SimpleNamespace(extra_generation_params={}, all_prompts=list(prompts), main_prompt=prompts[0])
    p.all_hr_prompts = [hires or prompt for prompt in prompts] if hires is not None else None
    for script, value in zip(scripts, values):
        script.before_process(p, value)
    for script, value in zip(scripts, values):
        script.process(p, value)
    if p.all_hr_prompts:
        p.extra_generation_params["Hires prompt"] = _other_hires
    pictures = [_picture(p, index) for index in range(len(prompts))]
    model = sd_models.model_data.sd_model
    return {"pictures": pictures, "grid": p.main_prompt, "on_card": getattr(model, "on_card", None)}


def _other_hires(p: Any, index: int, prompt_text: str, **_: Any) -> str | None:
    return p.all_hr_prompts[index] if p.all_hr_prompts[index] != prompt_text else None


def _picture(p: Any, index: int) -> dict[str, Any]:
    prompt_text = p.all_prompts[index]
    loras = [name for name, _ in LORA.findall(prompt_text)]
    if any(name not in networks.available_networks for name in loras):
        # An unknown name makes the web UI look again.
        networks.list_available_networks()
    return {
        "prompt": LORA.sub("", prompt_text),
        "loras": [name for name in loras if name in networks.available_networks],
        "missing": [name for name in loras if name not in networks.available_networks],
        "infotext": _infotext(p, index, prompt_text),
    }


def _infotext(p: Any, index: int, prompt_text: str) -> str:
    parameters = {"Steps": 20, "Sampler": "Euler a", "CFG scale": 7, "Seed": 1, **p.extra_generation_params}
    words = []
    for key, value in parameters.items():
        if isinstance(value, list):
            value = value[index]
        elif callable(value):
            value = value(p=p, index=index, prompt_text=prompt_text)
        if value is not None:
            text = str(value)
            words.append(f"{key}: {json.dumps(text, ensure_ascii=False) if set(',:' + chr(10)) & set(text) else text}")
    return f"{prompt_text}\nNegative prompt: blurry\n{', '.join(words)}".strip()


def paste(scripts: list[Any], infotext: str) -> dict[str, Any]:
    """The fields of the page after an infotext was pasted; null for those that stay."""
    *lines, last = infotext.strip().split("\n")
    prompt = "\n".join(line.strip() for line in lines if not line.startswith("Negative prompt:"))
    params: dict[str, Any] = {"Prompt": prompt, "Hires prompt": ""}
    for key, value in PARAMETER.findall(last):
        params[key] = json.loads(value) if value[:1] == value[-1:] == '"' else value
    for callback in script_callbacks.registered["infotext_pasted"]:
        callback(infotext, params)
    fields = [field for script in scripts for field in script.infotext_fields or []]
    by_script = [key(params) if callable(key) else params.get(key) for _, key in fields]
    return {"prompt": params["Prompt"], "hires": params["Hires prompt"], "script": by_script}
