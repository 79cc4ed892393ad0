"""Options of the command line, settings, and what is going on."""

from __future__ import annotations

from argparse import Namespace
from typing import Any

cmd_opts = Namespace()


class OptionInfo:
    """A setting."""

    def __init__(self, default: Any = None, label: str = "", section: tuple[str, str] | None = None) -> None:
        self.default, self.label, self.section = default, label, section


class Options:
    """The settings; an unknown one is an error."""

    def __init__(self) -> None:
        self.data_labels: dict[str, OptionInfo] = {}
        self.data: dict[str, Any] = {}

    def add_option(self, key: str, info: OptionInfo) -> None:
        self.data_labels[key] = info

    def __getattr__(self, key: str) -> Any:
        if key in self.__dict__["data"]:
            return self.data[key]
        if key in self.__dict__["data_labels"]:
            return self.data_labels[key].default
        raise AttributeError(key)


class State:
    """`job` is empty and `job_count` 0 while nothing is drawn."""

    job: str | None = ""
    job_count = 0


opts = Options()
state = State()
