"""*Concept Dataset* and *Caption Images*: what is learnt from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from . import host, upload
from .connection import told
from .upload import DATASET, Source

if TYPE_CHECKING:
    from torch import Tensor

PER_PICTURE = "One line a picture, or one line for all; an empty line keeps a picture's prompt."


class ConceptdDataset:
    """Pictures of one face, object or style."""

    DESCRIPTION = "Pictures of one face, object or style, for Train Concept: from a batch, a folder, or both."
    CATEGORY = "concepts"
    FUNCTION = "collect"
    RETURN_TYPES = (DATASET, "STRING")
    RETURN_NAMES = ("dataset", "report")

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        """Folder and prompts; batch and masks."""
        folder = (
            "A folder, zip or tar on the machine of ComfyUI: a whole path, or one inside ComfyUI's folder `input`. "
            "A `.txt` beside a picture is its prompt, a `.mask.png` its mask."
        )
        captions = f"Prompts; <concept> in them is what is learnt. {PER_PICTURE} The batch comes before the folder."
        return {
            "required": {
                "folder": ("STRING", {"default": "", "tooltip": folder}),
                "captions": ("STRING", {"default": "", "multiline": True, "tooltip": captions}),
            },
            "optional": {
                "images": ("IMAGE", {"tooltip": "A batch of pictures."}),
                "masks": ("MASK", {"tooltip": "What counts in each picture of the batch; a single mask is for all."}),
            },
        }

    @classmethod
    def IS_CHANGED(cls, folder: str = "", **_: Any) -> str:
        """What lies in the folder."""
        return upload.stamp(folder)

    @told
    def collect(
        self,
        folder: str = "",
        captions: str = "",
        images: Tensor | None = None,
        masks: Tensor | None = None,
    ) -> dict[str, Any]:
        """Uploads what is new."""
        source = Source(folder, images, masks)
        made = upload.dataset(source, {})
        if captions.strip():
            names = [picture["name"] for picture in made["pictures"]]
            made = upload.dataset(source, upload.lines(captions, names))
        text = report(made)
        return {"ui": host.shown(text), "result": (upload.value(made, source), text)}


def report(made: Mapping[str, Any]) -> str:
    """What was found among the files."""
    pictures = made["pictures"]
    prompts = sum(bool(picture["caption"]) for picture in pictures)
    masks = sum(picture["mask"] for picture in pictures)
    passed_over = [f"not used: {file['name']}: {file['reason']}" for file in made["skipped"]]
    return "\n".join([f"{len(pictures)} pictures, {prompts} prompts, {masks} masks", *passed_over, *made["notes"]])


class ConceptdCaption:
    """Prompts for the pictures of a data set."""

    DESCRIPTION = (
        "Shows and sets the prompts of a data set: your text, put into a template; a captioner describes pictures that "
        "have none."
    )
    CATEGORY = "concepts"
    FUNCTION = "caption"
    RETURN_TYPES = (DATASET, "STRING")
    RETURN_NAMES = ("dataset", "captions")
    OUTPUT_NODE = True

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        """Text and template; data set or batch."""
        template = (
            "Put around every prompt: {caption} is the picture's prompt, {file} the name of its file, <concept> what "
            "is learnt. Empty leaves prompts as they are."
        )
        captioner = (
            "auto: the best captioner that the daemon has (`conceptd models add`) describes pictures without a prompt, "
            "with <concept> where the mode wants it."
        )
        return {
            "required": {
                "captions": ("STRING", {"default": "", "multiline": True, "tooltip": PER_PICTURE}),
                "template": ("STRING", {"default": "", "tooltip": template}),
            },
            "optional": {
                "dataset": (DATASET, {"tooltip": "From Concept Dataset."}),
                "images": ("IMAGE", {"tooltip": "A batch of pictures, where there is no data set yet."}),
                "captioner": (["none", "auto"], {"default": "none", "tooltip": captioner}),
                "mode": (["face", "object", "style"], {"tooltip": "What the pictures have in common."}),
            },
        }

    @told
    def caption(
        self,
        captions: str = "",
        template: str = "",
        dataset: Mapping[str, Any] | None = None,
        images: Tensor | None = None,
        captioner: str = "none",
        mode: str = "face",
    ) -> dict[str, Any]:
        """Makes a data set with these prompts of the same pictures."""
        if (dataset is None) == (images is None):
            raise ValueError("dataset: connect either a data set or a batch of images")
        if dataset is None:
            source = Source("", images, None)
            dataset = upload.value(upload.dataset(source, {}), source)
        before = dataset["captions"]
        wanted = {**before, **upload.lines(captions, list(before))}
        if captioner != "none":
            wanted = upload.described(dataset["source"], wanted, mode, captioner)
        if template.strip():
            wanted = {name: filled(template, name, text or "") for name, text in wanted.items()}
        value = dataset
        if wanted != before:
            value = upload.value(upload.dataset(dataset["source"], wanted), dataset["source"])
        text = "\n".join(one or "" for one in value["captions"].values())
        listed = "\n".join(f"{name}: {one or '-'}" for name, one in value["captions"].items())
        return {"ui": host.shown(listed), "result": (dict(value), text)}


def filled(template: str, picture: str, caption: str) -> str:
    """A prompt in its template; where there is none, no comma is left over."""
    file = picture.rpartition("/")[2].rpartition(".")[0]
    return template.replace("{caption}", caption).replace("{file}", file).strip(" ,")
