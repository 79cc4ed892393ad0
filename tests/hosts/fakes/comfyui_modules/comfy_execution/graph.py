"""Parts of graphs."""

from __future__ import annotations


class ExecutionBlocker:
    """Goes out in place of a value; what is behind it does not run."""

    def __init__(self, message: str | None) -> None:
        """Without a message it does so silently."""
        self.message = message
