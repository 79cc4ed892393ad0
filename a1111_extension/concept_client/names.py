"""Names in prompts: in any case, at the bounds of words, in the plural, with or without angle brackets.

`daemon/dataset/src/names.rs` is the original.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

_CONCEPT = "<concept>"
# A shorter name has no plural in `s`: `Thi` is not meant by `this`.
_SHORTEST_WITH_PLURAL = 4
_LINE_ENDS = "\n\r\x0b\x0c\x85\u2028\u2029"


class Letter(NamedTuple):
    """A letter as it is compared; several may come from one cluster of the text."""

    folded: str
    start: int
    end: int
    first: bool
    last: bool
    script: int


class Form(NamedTuple):
    """One way to write a name."""

    letters: str
    name: int  # -1 is `<concept>`
    plural: bool


class Span(NamedTuple):
    """A part of a prompt that is no prose."""

    kind: str
    start: int
    end: int


class Edit(NamedTuple):
    """A call that takes the place of a part of the text, with what is written before it."""

    start: int
    end: int
    lead: str
    concept: int


def _is_blank(c: str) -> bool:
    return c.isspace() and c not in _LINE_ENDS and not "\x1c" <= c <= "\x1f"


def _is_mark(c: str) -> bool:
    return unicodedata.category(c)[0] == "M"


def _script(c: str) -> int:
    """0 for what is part of no word; else the same number for letters that can stand in one word."""
    if "\u3041" <= c <= "\u309f":
        return 2
    if "\u30a1" <= c <= "\u30fa" or "\u30fc" <= c <= "\u30ff" or "\u31f0" <= c <= "\u31ff" or "\uff66" <= c <= "\uff9f":
        return 3
    if c == "\u3005" or "\u3400" <= c <= "\u4dbf" or "\u4e00" <= c <= "\u9fff" or "\uf900" <= c <= "\ufaff":
        return 4
    if "\U00020000" <= c <= "\U0003ffff":
        return 4
    if "\u1100" <= c <= "\u11ff" or "\u3131" <= c <= "\u318e" or "\uac00" <= c <= "\ud7ff":
        return 5
    return int(c == "_" or c.isalnum() or _is_mark(c))


def is_word(c: str) -> bool:
    """Whether a character is part of words."""
    return bool(c) and _script(c) != 0


def _fold(cluster: str) -> str:
    c = cluster[0]
    if c == "\\":
        return cluster[-1]
    if _is_blank(c):
        return " "
    if c in "\u2018\u2019\u02bc":
        return "'"
    if c in "\u2010\u2011":
        return "-"
    upper = (u for letter in unicodedata.normalize("NFC", cluster) for u in letter.upper())
    return unicodedata.normalize("NFC", "".join(u.lower() for u in upper))


def _letters(text: str) -> list[Letter]:
    letters: list[Letter] = []
    at = 0
    while at < len(text):
        c, end = text[at], at + 1
        if c == "\\":
            end += text[end : end + 1] in ("(", ")", "[", "]")
        else:
            blank = _is_blank(c)
            while end < len(text) and (
                _is_blank(text[end]) if blank else _is_mark(text[end]) or "\u1160" <= text[end] <= "\u11ff"
            ):
                end += 1
        folded = _fold(text[at:end])
        for place, letter in enumerate(folded):
            letters.append(Letter(letter, at, end, place == 0, place + 1 == len(folded), _script(c)))
        at = end
    return letters


def folded(name: str) -> str:
    """A name as it is compared."""
    return "".join(letter.folded for letter in _letters(name.strip()))


def _plural(name: str) -> str | None:
    last, before = name[-1], name[-2:-1]
    if _script(last) != 1 or last == "_":
        return None
    if last in "sxz" or name.endswith(("ch", "sh")):
        return name + "es"
    if len(name) < _SHORTEST_WITH_PLURAL:
        return None
    if last == "y" and before.isalpha() and before not in "aeiou":
        return name[:-1] + "ies"
    return name + "s"


def _forms(concepts: Sequence[Mapping[str, Any]], chosen: bool) -> dict[str, list[Form]]:
    """Every way to write a name, by the first letter, the best first."""
    forms: list[Form] = []
    for index, concept in enumerate(concepts):
        name = folded(concept["name"])
        if not name:
            continue
        forms += [Form(f"<{name}>s", index, True), Form(f"<{name}>", index, False)]
        if chosen or concept.get("bare_name", False):
            plural = _plural(name)
            forms += [Form(plural, index, True)] if plural else []
            forms.append(Form(name, index, False))
    if chosen and concepts:
        forms += [Form(_CONCEPT + "s", -1, True), Form(_CONCEPT, -1, False)]
    forms.sort(key=lambda form: (-len(form.letters), form.plural, form.name < 0, form.name))
    by_first: dict[str, list[Form]] = {}
    for form in forms:
        by_first.setdefault(form.letters[0], []).append(form)
    return by_first


def find(text: str, concepts: Sequence[Mapping[str, Any]], chosen: bool, spans: list[Span]) -> list[Edit]:
    """A call for every mention, in order."""
    by_first, letters = _forms(concepts, chosen), _letters(text)
    folded = "".join(letter.folded for letter in letters)
    found: list[Edit] = []
    at = 0
    while at < len(letters):
        for form in by_first.get(folded[at], ()):
            end = at + len(form.letters)
            if not folded.startswith(form.letters, at) or not letters[at].first or not letters[end - 1].last:
                continue
            if (at and _joined(letters[at - 1], letters[at])) or (
                end < len(letters) and _joined(letters[end - 1], letters[end])
            ):
                continue
            start, stop = letters[at].start, letters[end - 1].end
            if not any(_bars(span, start, stop) for span in spans):
                found.append(Edit(start, stop, "", form.name))
                at = end
                break
        else:
            at += 1
    named = {edit.concept for edit in found}
    unnamed = next((place for place in range(len(concepts)) if place not in named), 0)
    return [edit._replace(concept=unnamed) if edit.concept < 0 else edit for edit in found]


def _joined(a: Letter, b: Letter) -> bool:
    return a.script != 0 and a.script == b.script


def _bars(span: Span, start: int, end: int) -> bool:
    apart = span.end <= start or end <= span.start
    within = start <= span.start and span.end <= end
    whole = span.kind in ("tag", "file")
    return not (apart or (within and (whole or (start, end) != (span.start, span.end))))
