"""Forms with files (multipart/form-data) that are read from disk while they are sent."""

from __future__ import annotations

import mimetypes
import os
import uuid
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

PART_BYTES = 1 << 16
# What is sent of a folder, which may hold much else: what is learnt, and pictures that the daemon says it cannot read.
PICTURES = {".png", ".jpg", ".jpeg", ".jfif", ".jpe", ".webp", ".bmp", ".tif", ".tiff", ".gif"}
UNREADABLE = {".heic", ".heif", ".avif", ".jxl"}
CONCERNS = PICTURES | UNREADABLE | {".txt", ".caption", ".zip", ".tar", ".tgz", ".gz"}


class Form:
    """Fields and files of a form. Nothing is opened before it is sent."""

    def __init__(self, on_progress: Callable[[int, int], None] | None = None) -> None:
        """`on_progress` is told the bytes that are sent and all bytes."""
        self._boundary = uuid.uuid4().hex
        self._parts: list[tuple[bytes, Path | bytes, int]] = []
        self._on_progress = on_progress

    def field(self, name: str, value: str) -> None:
        """Adds a text."""
        content = value.encode()
        self._parts.append((self._head(f'name="{name}"'), content, len(content)))

    def file(self, name: str, filename: str, path: Path) -> None:
        """Adds a file under a name of its own."""
        media = mimetypes.guess_type(filename)[0] or "application/octet-stream"
        head = self._head(f'name="{name}"; filename="{_quoted(filename)}"', media)
        self._parts.append((head, path, path.stat().st_size))

    def _head(self, disposition: str, media: str | None = None) -> bytes:
        media_line = f"Content-Type: {media}\r\n" if media else ""
        head = f"--{self._boundary}\r\nContent-Disposition: form-data; {disposition}\r\n{media_line}\r\n"
        return head.encode("utf-8", "surrogateescape")

    @property
    def headers(self) -> dict[str, str]:
        """Those of a request that sends this form."""
        return {"Content-Type": f"multipart/form-data; boundary={self._boundary}", "Content-Length": str(self.length)}

    @property
    def length(self) -> int:
        """All bytes."""
        return sum(len(head) + size + 2 for head, _, size in self._parts) + len(self._end)

    @property
    def _end(self) -> bytes:
        return f"--{self._boundary}--\r\n".encode()

    def __iter__(self) -> Iterator[bytes]:
        """The bytes, a part at a time."""
        sent, total = 0, self.length
        for piece in self._pieces():
            yield piece
            sent += len(piece)
            if self._on_progress:
                self._on_progress(sent, total)

    def _pieces(self) -> Iterator[bytes]:
        for head, content, size in self._parts:
            yield head
            if isinstance(content, bytes):
                yield content
            else:
                yield from _read(content, size)
            yield b"\r\n"
        yield self._end


def _read(path: Path, size: int) -> Iterator[bytes]:
    with path.open("rb") as file:
        left = size
        while left:
            part = file.read(min(PART_BYTES, left))
            if not part:
                # The length is already said.
                raise OSError(f"{path} became shorter while it was sent")
            left -= len(part)
            yield part


def _quoted(filename: str) -> str:
    # With quoted-pairs (RFC 9110), so that a refusal names the file as it is called.
    escaped = filename.replace("\\", "\\\\").replace('"', '\\"')
    return escaped.replace("\r", "%0D").replace("\n", "%0A")


def files_of(paths: Iterable[str | os.PathLike[str]]) -> Iterator[tuple[str, Path]]:
    """Files with the names to send them under: folders are walked, and their files keep the path inside.

    Of several folders each keeps its own name too, so that equal names in them do not meet.
    """
    given = [Path(path) for path in paths]
    for path in given:
        if not path.is_dir():
            yield path.name, path
            continue
        # Resolved, because `.` has no name.
        prefix = f"{path.resolve().name}/" if len(given) > 1 else ""
        for file in sorted(path.rglob("*")):
            inside = file.relative_to(path)
            hidden = any(part.startswith(".") for part in inside.parts)
            if file.is_file() and not hidden and file.suffix.lower() in CONCERNS:
                yield prefix + inside.as_posix(), file
