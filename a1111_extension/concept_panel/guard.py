"""Who may ask. Every page that the user visits can reach a server on this machine, and strangers can reach a web UI
that listens or is shared; the tab starts trainings and reads pictures, so that it answers its own page alone."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

# A header that no form and no link of another page can send.
HEADER = "x-conceptd"
# What proxies add. Behind one, the address of the other end says nothing about who asks.
FORWARDING = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip", "via")
SAFE_METHODS = ("GET", "HEAD")


class Refused(Exception):
    """A request that is not answered; says why, and what to do."""


@dataclass(frozen=True)
class Exposure:
    """How far the web UI can be reached."""

    # Through a tunnel (`--share`, `--ngrok`): strangers then seem to ask from this machine.
    tunnelled: bool
    # Names by which other machines may call it; `*` for any.
    hosts: frozenset[str]

    @classmethod
    def of(cls, options: Any) -> Exposure:
        """As the command line of the web UI says."""
        names = str(getattr(options, "conceptd_hosts", None) or "").replace(",", " ").lower().split()
        tunnelled = bool(getattr(options, "share", False) or getattr(options, "ngrok", None))
        return cls(tunnelled, frozenset(names))


@dataclass(frozen=True)
class Asked:
    """What counts of a request."""

    method: str
    headers: Mapping[str, str]
    # Address of the other end, if it has one.
    peer: str | None


def check(asked: Asked, exposure: Exposure, *, programs: bool = False) -> None:
    """Raises Refused unless a request comes from a page of this web UI, or, with `programs`, from a program here."""
    stranger = not _is_loopback(asked.peer) or any(name in asked.headers for name in FORWARDING)
    if (stranger or exposure.tunnelled) and not exposure.hosts:
        raise Refused(
            "the Concepts tab answers this machine alone, and this web UI can be reached from others. "
            "If they may use it, start the web UI with `--conceptd-hosts NAME`"
        )
    host = asked.headers.get("host", "")
    name = _name(host)
    if not (_is_loopback(name) or name == "localhost" or exposure.hosts & {name, "*"}):
        raise Refused(f"this web UI is not called `{name}` here; `--conceptd-hosts {name}` adds the name if it is")
    origin, site = asked.headers.get("origin"), asked.headers.get("sec-fetch-site")
    if origin is not None and urlsplit(origin).netloc.lower() != host.lower():
        raise Refused(f"pages of `{origin}` may not call")
    if site not in (None, "same-origin", "none"):
        raise Refused("pages of other sites may not call")
    if asked.method in SAFE_METHODS or HEADER in asked.headers:
        return
    # A browser says where a page is from whenever it changes something; what says nothing is no browser.
    if not programs or origin is not None or site is not None:
        raise Refused("this changes something, and the header `X-Conceptd` is missing")


def check_login(app: Any, request: Any) -> None:
    """Raises Refused if the web UI asks for a password (`--gradio-auth`) and none was given."""
    if getattr(app, "auth", None) is None and getattr(app, "auth_dependency", None) is None:
        return
    user: Callable | None = next((r.endpoint for r in app.routes if getattr(r, "path", None) == "/user"), None)
    if user is None or user(request) is None:
        raise Refused("log in to the web UI first")


def _name(host: str) -> str:
    name, _, port = host.rpartition(":")
    return (name if name and port.isdigit() else host).strip("[]").lower()


def _is_loopback(name: str | None) -> bool:
    try:
        address = ipaddress.ip_address(name or "")
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback
