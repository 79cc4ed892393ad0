"""The task with a progress bar, if one runs."""

current_task: str | None = None
