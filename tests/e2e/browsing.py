"""A real browser on the daemon's page: whoever uses it sees what a person sees, and every error that a person would not."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from concept_client import Daemon
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Playwright, Request, expect

# Read at once: the tests take variables of ours out of their environment.
CHROMIUM = os.environ.get("CONCEPTD_CHROMIUM")
# Where a picture of the page goes when a test fails; nowhere unless it is set.
FAILURES = os.environ.get("CONCEPTD_FAILURES")
AXE = Path(__file__).parents[2] / "daemon" / "page" / "node_modules" / "axe-core" / "axe.min.js"
# What a person waits before something is wrong, in milliseconds; machines of tests are slow.
PATIENCE = 30_000
expect.set_options(timeout=PATIENCE)


def start(playwright: Playwright) -> Browser:
    """Starts the browser that `cargo xtask test` found."""
    assert CHROMIUM, "`cargo xtask test` finds a browser and names it in CONCEPTD_CHROMIUM"
    # In a container there is no sandbox; the page is our own.
    return playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])


def link_of(program: Path, daemon: Daemon) -> str:
    """A link that logs a browser in."""
    command = [program, "open", "--print", "--home", daemon.home]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


class Watched:
    """A tab whose errors and requests are kept."""

    def __init__(self, context: BrowserContext) -> None:
        self.page: Page = context.new_page()
        self.page.set_default_timeout(PATIENCE)
        self.errors: list[str] = []
        self.requests: list[str] = []
        self.page.on("console", self._hear)
        self.page.on("pageerror", lambda error: self.errors.append(f"uncaught: {error}"))
        self.page.on("request", self._see)

    def _hear(self, message: ConsoleMessage) -> None:
        # What the daemon refuses is part of its API, and while it is away nothing answers; the page deals with both.
        if message.type in ("error", "warning") and "Failed to load resource" not in message.text:
            self.errors.append(message.text)

    def _see(self, request: Request) -> None:
        self.requests.append(request.url)

    def foreign(self, daemon: Daemon) -> list[str]:
        """Requests that went anywhere else than to the daemon."""
        own = (daemon._address()[0], "blob:", "data:")
        return [url for url in self.requests if not url.startswith(own)]


@contextmanager
def visit(browser: Browser, url: str, **options: Any) -> Iterator[Watched]:
    """Opens an address in a browser of its own, without cookies; fails if the page made an error."""
    context = browser.new_context(reduced_motion="reduce", **{"viewport": {"width": 1280, "height": 900}, **options})
    tab = Watched(context)
    try:
        tab.page.goto(url)
        expect(tab.page.get_by_role("heading", level=1)).to_be_visible()
        yield tab
    except BaseException:
        if FAILURES:
            with suppress(Exception):
                tab.page.screenshot(path=f"{FAILURES}/{os.getpid()}-{id(tab)}.png")
        raise
    finally:
        context.close()
    assert tab.errors == []


def faults(page: Page) -> list[str]:
    """What axe-core finds to be in the way of people who use the page otherwise than by sight and mouse."""
    page.evaluate(AXE.read_text(encoding="utf-8"))
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [f"{one['id']} ({one['impact']}): {node['html'][:200]}" for one in found["violations"] for node in one["nodes"]]


def is_too_wide(page: Page) -> bool:
    """Whether the page scrolls sideways."""
    return page.evaluate("document.documentElement.scrollWidth > innerWidth + 1")
