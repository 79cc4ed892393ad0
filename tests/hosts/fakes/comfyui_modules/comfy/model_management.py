"""Memory and interrupts."""

from __future__ import annotations

# What was asked of it.
asked: list[str] = []
interrupted = False


class InterruptProcessingException(Exception):
    """The user stopped the run."""


def unload_all_models() -> None:
    """Lets go of all models."""
    asked.append("unload_all_models")


def soft_empty_cache(force: bool = False) -> None:
    """Gives freed memory back."""
    asked.append("soft_empty_cache")


def throw_exception_if_processing_interrupted() -> None:
    """Raises once after an interrupt."""
    global interrupted
    if interrupted:
        interrupted = False
        raise InterruptProcessingException
