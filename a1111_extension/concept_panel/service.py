"""The daemon as the web UI sees it: whether it runs, how it is started, and whether it knows this web UI."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from concept_client import ConceptdError, Daemon, DaemonNotRunning
from concept_client import home as homes
from concept_client.transport import Transport

from .webui import WebUI

# A daemon on this machine answers such questions at once.
ANSWER_TIMEOUT = 10.0


class Service:
    """The daemon of one home folder."""

    def __init__(self, home: str | None = None, program: str | None = None) -> None:
        """The usual home and the program on the PATH, unless told otherwise."""
        self.home = Path(home) if home else homes.usual_home()
        self._program = program

    @property
    def program(self) -> str | None:
        """The program that would be started, if there is one."""
        return shutil.which(self._program or "conceptd")

    def transport(self, timeout: float = ANSWER_TIMEOUT) -> Transport:
        """Requests with the token, which stays on this side."""
        return Transport(self._address, self.home, timeout)

    def daemon(self, timeout: float = ANSWER_TIMEOUT) -> Daemon:
        """The daemon's methods."""
        return Daemon(self.home, timeout=timeout)

    def state(self) -> dict[str, Any]:
        """Whether it runs and where; else how it is started."""
        said = homes.beacon(self.home)
        state = {"running": False, "url": None, "version": None, "device": None, "problem": None}
        try:
            version = self.transport().json("GET", "/v1/version")
            state.update(running=True, url=said and said["url"], version=version["version"], device=version["device"])
        except ConceptdError as error:
            state["problem"] = f"Something answers where conceptd should be, but refuses: {error.detail}"
        except DaemonNotRunning:
            pass
        return {**state, "home": str(self.home), "command": self.command(), "startable": self.program is not None}

    def command(self) -> str:
        """What starts it from a shell."""
        program = self.program or self._program or "conceptd"
        usual = self.home == homes.usual_home() and not os.environ.get("CONCEPTD_HOME")
        return _quoted([program, "serve", *([] if usual else ["--home", str(self.home)])])

    def start(self, models: Iterable[Path]) -> None:
        """Starts it; with the web UI's checkpoints, unless its settings name some."""
        if self.program is None:
            raise DaemonNotRunning(
                self.home,
                reason="the program conceptd is not on the PATH; start the web UI with `--conceptd-program FILE`",
            )
        configured = (self.home / "config.toml").is_file()
        Daemon.start(self.program, self.home, port=None, models=() if configured else models)

    def host_id(self, webui: WebUI) -> str | None:
        """The id under which the daemon knows this web UI, if it does."""
        for host in self.daemon().hosts():
            if host["kind"] == webui.kind and Path(host["loras"]).resolve() == webui.loras_dir:
                return host["id"]
        return None

    def make_known(self, webui: WebUI, url: str) -> str:
        """The same; makes it known if it is not."""
        known = self.host_id(webui)
        if known is None:
            host = self.daemon().add_host(webui.kind, webui.data_dir, webui.loras_dir, webui.embeddings_dir, url)
            known = host["id"]
        return known

    def _address(self) -> tuple[str, str]:
        said = homes.beacon(self.home)
        if said is None:
            raise DaemonNotRunning(self.home)
        return said["url"], homes.token(self.home)


def _quoted(words: list[str]) -> str:
    if sys.platform == "win32":
        import subprocess

        return subprocess.list2cmdline(words)
    import shlex

    return shlex.join(words)
