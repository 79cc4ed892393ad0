"""Where concepts go and where their pictures come from: hosts and watched folders of a daemon."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any, Literal

from . import views
from .messages import Ref, given, id_of, path_of
from .transport import Transport

StrPath = str | os.PathLike[str]


class Places:
    """The part of a daemon that knows hosts and watched folders."""

    _http: Transport

    # Hosts.

    def hosts(self) -> list[views.KnownHost]:
        """The programs that concepts are installed into."""
        return self._http.json("GET", "/v1/hosts")["items"]

    def detect_hosts(self) -> list[views.FoundHost]:
        """Hosts that run or lie on this machine; `known` is the id of those that are known already."""
        return self._http.json("POST", "/v1/hosts/detect")["items"]

    def add_host(
        self,
        kind: views.HostKind,
        folder: StrPath,
        loras: StrPath | None = None,
        embeddings: StrPath | None = None,
        url: str | None = None,
    ) -> views.KnownHost:
        """Makes a host known by the folder that holds its `models`; where it looks follows from its settings."""
        paths = {"folder": folder, "loras": loras, "embeddings": embeddings}
        body = {key: os.fspath(path) for key, path in given(paths).items()}
        return self._http.json("POST", "/v1/hosts", given({"kind": kind, **body, "url": url}))

    def forget_host(self, id: Ref) -> None:
        """Forgets a host; what is installed there stays."""
        self._http.bytes("DELETE", path_of("hosts", id))

    def verify_host(self, id: Ref) -> views.HostCheck:
        """Whether a host can be used, and what is installed and seen there."""
        return self._http.json("POST", path_of("hosts", id, "verify"))

    def install(
        self, concept: Ref, hosts: Iterable[Ref] = (), conflict: Literal["suffix", "error"] = "suffix"
    ) -> list[views.Install]:
        """Puts a concept into hosts, without any into all that are known, and asks them whether they see it."""
        body = {"hosts": [id_of(host) for host in hosts], "conflict": conflict}
        return self._http.json("POST", path_of("concepts", concept, "install"), body)["items"]

    def uninstall(self, concept: Ref, hosts: Iterable[Ref] = ()) -> list[views.Install]:
        """Takes a concept out of hosts, without any out of all; returns what could not go."""
        body = {"hosts": [id_of(host) for host in hosts]}
        return self._http.json("POST", path_of("concepts", concept, "uninstall"), body)["items"]

    # Watched folders.

    def watches(self) -> list[views.Watch]:
        """Watched folders, and how the data sets in them stand."""
        return self._http.json("GET", "/v1/watches")["items"]

    def watch(self, folder: StrPath, mode: views.Mode, base: str, **request: Any) -> views.Watch:
        """Watches a folder: each folder, zip or tar that is put into it becomes a concept.

        `mode` counts where neither a data set's name nor its `concept.toml` says it. `request` takes the further fields
        of a WatchRequest: `install`, `quiet_seconds`, `rescan_seconds`, `parameters` (a mapping).
        """
        body = {"folder": os.path.abspath(folder), "mode": mode, "base": base, **given(request)}
        return self._http.json("POST", "/v1/watches", body)

    def watched(self, id: Ref) -> views.Watch:
        """A watched folder."""
        return self._http.json("GET", path_of("watches", id))

    def rescan(self, id: Ref) -> views.Watch:
        """Looks at everything in a watched folder now, and tries again what failed."""
        return self._http.json("POST", path_of("watches", id, "rescan"))

    def unwatch(self, id: Ref) -> None:
        """Watches a folder no longer; what it queued goes on."""
        self._http.bytes("DELETE", path_of("watches", id))
