"""Options of the web UI's command line. They are no settings, which anybody who reaches the page can change."""

from __future__ import annotations

import argparse


def preload(parser: argparse.ArgumentParser) -> None:
    """Called by the web UI before it reads its command line."""
    parser.add_argument(
        "--conceptd-hosts",
        default="",
        help="names or addresses, with commas between, by which other machines may reach the Concepts tab when the web "
        "UI listens for them or is shared; `*` for any. Whoever reaches it can train on this machine",
    )
    parser.add_argument("--conceptd-home", default=None, help="home folder of conceptd, if not the usual one")
    parser.add_argument("--conceptd-program", default=None, help="the program conceptd, if it is not on the PATH")
