"""Prompts as hosts want them, for hosts without a daemon: what `POST /v1/prompts` answers, step by step the same.

`daemon/concept/src/expand.rs` is the original and says why; `tests/prompts/cases.json` holds both.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Union

from .names import Edit, Span, find, is_word

_QUOTES = "\"'\u201c\u201d\u2018\u2019"
_PHRASE = "in the style of "
# Stands for a call while words around it are looked at.
_CALL = "\ufffc"
_LEADS = frozenset(
    "by of in like la after from as with using style styled the a an this that my our your his her their".split()
)

_PATTERN = re.compile(
    r"(?P<tag><[A-Za-z0-9_]+:[^>]+>)"
    r"|(?P<keyword>\b(?:BREAK|AND)\b)"
    r"|(?P<reference>__[^\s,]+?__|(?i:embedding):\s*(?:<[^<>:]*>|[^\s,()\[\]{}|<>]+))"
    r"|(?P<file>[A-Za-z]+://[^\s,;()\[\]{}<>|\"]+|[\w.+-]+@[\w.-]+"
    r"|[^\s,;()\[\]{}<>|\"]*\w\.(?i:safetensors|ckpt|pth|pt|bin|gguf|png|jpg|jpeg|webp|gif|bmp"
    r"|txt|json|yaml|yml|tar|zip)\b"
    r"|[\w-]*(?i:_lora|_embeddings|-v[0-9]+)\b)"
)
_COMMENT = {"a1111": re.compile(r"#[^\n]*"), "comfyui": re.compile(r"/\*[\s\S]*?\*/|//[^\n]*")}
_OPEN_TAG = re.compile(r"<[A-Za-z0-9_]+:[^>]*\Z")
_NUMBER = re.compile(r"\s*[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)\s*\Z")


# A character, or the place of the concept that is called.
_Unit = Union[str, int]


def expand(
    text: str, host: str, concepts: Iterable[Mapping[str, Any]], chosen: bool = True
) -> dict[str, Any]:
    """Expands a prompt for `host`, "comfyui" or "a1111".

    Each concept is the object `conceptd` of its sidecar file; of several with one name the first is meant, so give the
    newest first. `chosen` says whether the user chose them; else they are merely there: `<Name>` calls one, and a bare
    name if its concept has `bare_name`. The answer has `text`, `loras` (files with strengths, for ComfyUI's loaders)
    and `called` (ids).
    """
    if host not in _COMMENT:
        raise ValueError(f"there is no host `{host}`; give comfyui or a1111")
    concepts = list(concepts)
    calls = [_call(concept, host) for concept in concepts]
    spans = _spans(text, host, calls)
    edits = find(text, concepts, chosen, spans)
    mentioned = {edit.concept for edit in edits}
    called = [at in mentioned or (chosen and _stands(text, call, spans)) for at, call in enumerate(calls)]
    edits = _with_style(edits, text, host, concepts, spans, called, chosen)
    units = _units(text, edits)
    plain = [host == "a1111" or not concept["tokens"] for concept in concepts]
    made = _write(units, calls, plain)
    loras: dict[str, float] = {}
    for concept, is_called in zip(concepts, called):
        if chosen or is_called:
            loras.setdefault(f"{concept['stem']}_lora", concept.get("strength", 1.0))
    if host == "a1111":
        made = _load(made, loras, text, spans)
        loras = {}
    return {
        "text": made,
        "loras": [{"concept": lora, "strength": strength} for lora, strength in loras.items()],
        "called": [concept["id"] for concept, is_called in zip(concepts, called) if is_called],
    }


def _call(concept: Mapping[str, Any], host: str) -> str:
    """What stands for a concept in a prompt."""
    if concept["tokens"]:
        return ("embedding:" if host == "comfyui" else "") + f"{concept['stem']}_embeddings"
    return re.sub(r"[()]" if host == "comfyui" else r"[()\[\]]", r"\\\g<0>", concept["name"].strip())


# The parts of a prompt that are no prose.


def _spans(text: str, host: str, calls: list[str]) -> list[Span]:
    own = {call.lower() for call in calls}
    spans, at = [], 0
    # Comments are taken out before anything else is read.
    comments = [Span("comment", *match.span()) for match in _COMMENT[host].finditer(text)]
    for comment in [*comments, Span("", len(text), len(text))]:
        for match in _PATTERN.finditer(text, at, comment.start):
            kind = match.lastgroup or ""
            if kind == "file" and match.group().lower() in own:
                kind = "reference"
            spans.append(Span(kind, match.start(), match.end()))
        at = comment.end
        if comment.kind:
            spans.append(comment)
    return spans


def _stands(text: str, call: str, spans: list[Span]) -> bool:
    """Whether a call stands in the text already."""
    comments = [span for span in spans if span.kind == "comment"]
    for match in re.finditer(re.escape(call), text, re.IGNORECASE | re.ASCII) if call else ():
        before, after = text[: match.start()][-1:], text[match.end() :][:1]
        read = not any(span.start <= match.start() < span.end for span in comments)
        if read and not (is_word(before) or is_word(after) or before == "-"):
            return True
    return False


# Styles.


def _with_style(
    edits: list[Edit],
    text: str,
    host: str,
    concepts: Sequence[Mapping[str, Any]],
    spans: list[Span],
    called: list[bool],
    chosen: bool,
) -> list[Edit]:
    """Puts "in the style of" before the first call of a style that ends a piece; calls chosen styles at the end."""
    done = [concept["mode"] != "style" for concept in concepts]
    before, at = "", 0
    for edit in edits:
        before, at = before + text[at : edit.start], edit.end
        done[edit.concept] |= _is_led(before)
        before += _CALL
    before, at = "", 0
    for place, edit in enumerate(edits):
        before, at = before + text[at : edit.start], edit.end
        if not done[edit.concept] and _ends_piece(text, edit.end, spans) and not _is_led(before):
            done[edit.concept] = True
            touches = before[-1:] == _CALL or is_word(before[-1:]) or before.endswith(tuple(",.;!?)]}>"))
            edits[place] = edit._replace(lead=" " * touches + _PHRASE)
        before += edits[place].lead + _CALL
    for place, concept in enumerate(concepts):
        if chosen and concept["mode"] == "style" and not called[place]:
            called[place] = True
            for end in _ends(text, host, spans):
                lead = _separator(text[:end], spans, end) + _PHRASE
                # Never within a name.
                end = next((edit.end for edit in edits if edit.start <= end < edit.end), end)
                behind = sum(edit.start <= end for edit in edits)
                edits.insert(behind, Edit(end, end, lead, place))
    return edits


def _is_led(before: str) -> bool:
    """Whether what stands before a call says already how it is meant."""
    # Of alternatives, each follows what stands before all of them.
    while before.rstrip().endswith(("|", ":")):
        opened = max(before.rfind("{"), before.rfind("["))
        if opened < max(0, before.rfind("}"), before.rfind("]")):
            break
        before = before[:opened]
    piece = re.split(r"[,.;|!?\n]", before)[-1]
    while piece and (piece[-1].isspace() or piece[-1] in _QUOTES + "\u00ab\u201e([{<:=-"):
        piece = piece[:-1]
    piece = piece.lower()
    words = "".join(c if c.isalnum() or c == _CALL else " " for c in piece).split(" ")
    words = [word for word in words if word]
    last = words[-1] if words else ""
    if piece.endswith(("&", "+")) or last in ("and", "or"):
        styles = any(a in ("style", "styles") and b == "of" for a, b in zip(words, words[1:]))
        return "by" in words or styles
    return piece[-1:].isalnum() and last in _LEADS


def _ends_piece(text: str, at: int, spans: list[Span]) -> bool:
    """Whether a piece of the prompt ends at `at`, but for quotes."""
    while at < len(text) and ((text[at] != "\n" and text[at].isspace()) or text[at] in _QUOTES + "\u00bb"):
        at += 1
    if any(span.start == at and span.kind in ("comment", "tag", "keyword") for span in spans):
        return True
    word = re.split(r"[\W_]", text[at:], maxsplit=1)[0].lower()
    return at == len(text) or text[at] in ",.;:!?|()[]{}>\n&+" or word in ("and", "or")


def _ends(text: str, host: str, spans: list[Span]) -> list[int]:
    """Where something can be added to a prompt: before tags, comments and A1111's weight; to each part of `AND`."""
    parts, start = [], 0
    for span in spans:
        if host == "a1111" and span.kind == "keyword" and text[span.start : span.end] == "AND":
            parts.append((start, span.start))
            start = span.end
    parts.append((start, len(text)))
    ends = []
    for start, end in parts:
        while True:
            end = start + len(text[start:end].rstrip())
            dropped = [span for span in spans if span.kind in ("comment", "tag") and span.start >= start]
            passed = [span for span in dropped if span.start < end <= span.end]
            before, colon, number = text[start:end].rpartition(":")
            if passed:
                end = passed[0].start
            elif host == "a1111" and colon and _NUMBER.match(number):
                end = start + len(before)
            else:
                break
        if len(parts) == 1 or end > start:
            ends.append(end)
    return ends


def _separator(before: str, spans: list[Span], end: int) -> str:
    if not before:
        return ""
    if before[-1] in ",.;:!?" or any(span.kind == "keyword" and span.end == end for span in spans):
        return " "
    return "" if before[-1].isspace() else ", "


# Writing.


def _units(text: str, edits: list[Edit]) -> list[_Unit]:
    units: list[_Unit] = []
    at = 0
    for edit in edits:
        units += text[at : edit.start] + edit.lead
        units.append(edit.concept)
        at = edit.end
    units += text[at:]
    return units


def _write(units: list[_Unit], calls: list[str], plain: list[bool]) -> str:
    """The prompt, with spaces around calls where the host would not see them without."""
    brackets = _brackets(units)
    out = ""
    for at, unit in enumerate(units):
        if isinstance(unit, str):
            out += unit
            continue
        if plain[unit]:
            # Brackets, weights and tags are taken out before words are told apart: what stands beyond is a neighbour.
            before = out.rstrip("()[]")[-1:]
            behind_call = at > 0 and isinstance(units[at - 1], int)
            apart = behind_call or is_word(before) or before in ("'", ">", "<", "-")
            ends = _ends_word(units, at + 1)
        else:
            apart = bool(out) and out[-1] not in " \n" and not (out[-1] == "(" and at - 1 in brackets)
            ends = _ends_name(units, at + 1, brackets)
        out += " " * apart + calls[unit] + " " * (not ends)
    return out


def _weight(units: list[_Unit], at: int) -> int | None:
    """Where the bracket is that closes a weight such as `:1.2)`, if one begins at `at`."""
    rest = ""
    for unit in units[at : at + 32]:
        if isinstance(unit, int):
            break
        rest += unit
    number, closed, _ = rest[1:].partition(")")
    return at + 1 + len(number) if rest[:1] == ":" and closed and _NUMBER.match(number) else None


def _ends_word(units: list[_Unit], at: int) -> bool:
    while at < len(units):
        unit, end = units[at], _weight(units, at)
        if end is None and not (isinstance(unit, str) and unit in "()[]"):
            return isinstance(unit, int) or not (is_word(unit) or unit == "<")
        at = at + 1 if end is None else end
    return True


def _ends_name(units: list[_Unit], at: int, brackets: set[int]) -> bool:
    behind = at
    while behind < len(units) and units[behind] == ",":
        behind += 1
    unit = units[behind] if behind < len(units) else 0
    if isinstance(unit, int):
        return True
    if unit == ":" and behind == at:
        return _weight(units, at) in brackets
    return unit.isspace() or behind in brackets


def _brackets(units: list[_Unit]) -> set[int]:
    """Which units ComfyUI takes for brackets around a weight."""
    found: set[int] = set()
    parts = [(0, len(units))]
    while parts:
        start, end = parts.pop()
        level, opened = 0, start
        for at in range(start, end):
            if units[at] not in ("(", ")") or (at and units[at - 1] == "\\"):
                continue
            if units[at] == "(":
                opened = opened if level else at
                level += 1
            else:
                level -= 1
                if level == 0:
                    found |= {opened, at}
                    parts.append((opened + 1, at))
    return found


def _load(made: str, loras: Mapping[str, float], text: str, spans: list[Span]) -> str:
    """Adds the tags that load LoRAs, but for those that the user wrote."""
    written = set()
    for span in spans:
        parts = text[span.start : span.end].strip("<>").split(":")
        if span.kind == "tag" and parts[0] in ("lora", "lyco"):
            written.add(parts[1])
    tags = " ".join(f"<lora:{lora}:{_number(w)}>" for lora, w in loras.items() if lora not in written)
    if not tags:
        return made
    if _OPEN_TAG.search(text):
        return f"{tags} {made}"
    if any(span.kind == "comment" and span.end == len(text) for span in spans):
        return f"{made}\n{tags}"
    return made + (" " if made and not made[-1].isspace() else "") + tags


def _number(value: float) -> str:
    """Without exponent, and without a point where nothing follows it."""
    text = repr(float(value))
    if "e" in text:
        text = f"{float(value):.20f}".rstrip("0")
    return text[:-2] if text.endswith(".0") else text.rstrip(".")
