"""What a picture remembers: the prompt as it was typed beside the one that was drawn, so that it can be drawn again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

# Keys of a picture's parameters: ours, and the web UI's own that it was made from.
PROMPT = ("Concept prompt", "Prompt")
HIRES = ("Concept hires prompt", "Hires prompt")
# Not written into pictures; read by the checkbox when one is pasted.
BY_NAME = "Use concepts by name"
Expand = Callable[[str], str]


def rewrite(p: Any, expand: Expand) -> None:
    """Expands the prompts of a task and records what they were."""
    typed = list(p.all_prompts)
    # A new list: the web UI's may be the one that the task was given.
    p.all_prompts = [expand(text) for text in typed]
    # Stands under grids.
    if isinstance(getattr(p, "main_prompt", None), str):
        p.main_prompt = expand(p.main_prompt)
    _record(p, PROMPT[0], typed, p.all_prompts)
    hires = getattr(p, "all_hr_prompts", None)
    if hires:
        p.all_hr_prompts = [expand(text) for text in hires]
        if hires != typed:
            _record(p, HIRES[0], hires, p.all_hr_prompts)


def restore(params: dict[str, Any], expand: Expand) -> None:
    """Gives the prompts back as they were typed, if they still mean the same.

    If not, because a concept was trained again or is gone, what was drawn stays: it names its files.
    """
    for ours, theirs in (PROMPT, HIRES):
        typed, drawn = params.get(ours), params.get(theirs)
        if typed and drawn and _lines(expand(typed)) == _lines(drawn):
            params[theirs] = typed
            params[BY_NAME] = True


def _record(p: Any, key: str, typed: list[str], drawn: list[str]) -> None:
    was = {after: before for before, after in zip(typed, drawn) if before != after}
    if not was:
        return
    if len(set(typed)) == 1:
        p.extra_generation_params[key] = typed[0]
    elif key == PROMPT[0]:
        # The web UI asks for each picture; its index counts within a batch at one time, over all at another.
        p.extra_generation_params[key] = lambda prompt_text, **_: was.get(prompt_text)


def _lines(text: str) -> list[str]:
    # Pasting strips each line.
    return [line.strip() for line in text.strip().split("\n")]
