"""Prompts that call concepts by name, written out for this web UI."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from concept_client import ConceptdError, DaemonNotRunning
from concept_client.prompts import expand

from .service import Service
from .sidecars import Sidecars

# Somebody waits for a picture; what is installed is known without the daemon too.
PROMPT_TIMEOUT = 1.0
LORA_TAG = re.compile(r"<lora:([^:>]+)")


class Names:
    """Calls concepts by name, in which nothing but the text says which are meant."""

    def __init__(self, service: Service, loras_dir: Callable[[], Path]) -> None:
        """The daemon is asked if it runs; else, what lies in the folder counts."""
        self._service = service
        self._loras_dir = loras_dir
        self._sidecars = Sidecars()

    def expander(self) -> Callable[[str], str]:
        """Expands prompts of one task: each text once, and a daemon that is silent is not asked again."""
        known: dict[str, str] = {}
        daemon = self._service.daemon(PROMPT_TIMEOUT)
        asks = True

        def expanded(text: str) -> str:
            nonlocal asks
            if not text.strip():
                return text
            if text not in known:
                answer = None
                try:
                    answer = self._usable(text, daemon.expand_prompt(text, "a1111")) if asks else None
                except (DaemonNotRunning, ValueError, KeyError, TypeError):
                    # Nobody is there, or it is not the daemon.
                    asks = False
                except ConceptdError:
                    # It refuses this text, which may be too long for it.
                    pass
                known[text] = self._by_sidecars(text) if answer is None else answer
            return known[text]

        return expanded

    def _usable(self, text: str, answer: Mapping[str, Any]) -> str | None:
        """The daemon's answer, unless it calls what is not installed here, or is too old to know what is called."""
        if "called" not in answer:
            return None
        expanded: str = answer["text"]
        called = set(LORA_TAG.findall(expanded)) - set(LORA_TAG.findall(text))
        folder = self._loras_dir()
        return expanded if all(any(folder.rglob(f"{name}.safetensors")) for name in called) else None

    def _by_sidecars(self, text: str) -> str:
        concepts = self._sidecars.concepts(self._loras_dir())
        return expand(text, "a1111", concepts, chosen=False)["text"] if concepts else text
