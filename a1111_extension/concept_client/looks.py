"""Looking at a data set before it is learnt: captions, examination, the models that look."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

from . import views
from .messages import Ref, given, path_of
from .transport import Transport

# A captioner may need seconds for a picture.
LOOK_TIMEOUT = 24 * 3600.0


class Looks:
    """The part of a daemon that looks at pictures."""

    _http: Transport

    def describe(
        self,
        dataset: Ref,
        mode: views.Mode,
        name: str = "",
        captioner: str | None = None,
        class_word: str | None = None,
        again: bool = False,
        rewrite: bool = False,
        tags: bool = False,
        leave_out: Iterable[str] = (),
        pictures: Iterable[str] = (),
    ) -> views.CaptionSources:
        """Lets a captioner describe the pictures that have no prompt, and puts the concept into what it says.

        What users wrote stays. `captioner` is `auto` or one of `captioners`; `again` describes anew what one described;
        `rewrite` lets the configured server make that smoother; words that are left out become part of the concept;
        `tags` prefers a tagger, for bases that were trained on tags; `pictures` are the only ones to describe.
        """
        words = {"mode": mode, "name": name, "captioner": captioner, "class_word": class_word}
        lists = {"leave_out": list(leave_out), "pictures": list(pictures)}
        body = {**words, "again": again, "rewrite": rewrite, "tags": tags, **lists}
        return self._http.json("POST", path_of("datasets", dataset, "describe"), given(body), timeout=LOOK_TIMEOUT)

    def caption_sources(self, dataset: Ref) -> views.CaptionSources:
        """The prompts of a data set with who wrote them, and what was changed in a captioner's."""
        return self._http.json("GET", path_of("datasets", dataset, "describe"))

    def examine(
        self,
        dataset: Ref,
        mode: views.Mode,
        name: str = "",
        resolution: int | None = None,
        mask: Literal["auto", "none", "face", "subject"] = "auto",
        crop: Literal["center", "bucket", "salience", "face"] = "center",
    ) -> dict[str, Any]:
        """Says what is wrong with the pictures; `sheet` shows their crops and masks afterwards."""
        body = {"mode": mode, "name": name, "resolution": resolution, "mask": mask, "crop": crop}
        return self._http.json("POST", path_of("datasets", dataset, "examine"), given(body), timeout=LOOK_TIMEOUT)

    def report(self, dataset: Ref) -> dict[str, Any]:
        """What the last examination said."""
        return self._http.json("GET", path_of("datasets", dataset, "report"))

    def sheet(self, dataset: Ref) -> bytes:
        """A PNG of the pictures with their crops and masks, as the last examination saw them."""
        return self._http.bytes("GET", path_of("datasets", dataset, "sheet"))

    def stop_looking(self, dataset: Ref) -> None:
        """Ends a captioning or an examination; what it has seen is kept."""
        self._http.bytes("POST", path_of("datasets", dataset, "cancel"))

    def captioners(self) -> list[views.VisionModel]:
        """Installed models that look at pictures."""
        return self._http.json("GET", "/v1/captioners")["items"]
