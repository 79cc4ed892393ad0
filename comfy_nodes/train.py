"""*Train Concept*: a training in the daemon, watched from a node."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from . import catalog, connection, host, installed, pictures, widgets
from .concept_client import ConceptdError, Daemon
from .connection import told
from .upload import DATASET

if TYPE_CHECKING:
    from PIL.Image import Image

# ComfyUI saves the values of widgets by their place. New fields of the request are only ever appended here; those that
# are not here yet come behind.
ORDER = (
    *("name", "mode", "base", "vae", "prediction", "steps", "time_budget", "resolution", "batch_size", "lora_rank"),
    *("lora_alpha", "lora_targets", "lora_text_encoder", "token_count", "token_init", "learning_rate"),
    *("token_learning_rate", "optimizer", "recipe", "seed", "random_flip", "crop", "caption_dropout", "noise_offset"),
    *("snr_gamma", "save_every", "sample_every", "sample_prompt", "continue_from", "recipe_from", "priority"),
    *("install", "wait", "courtesy", "captioner", "class_word", "mask", "base_bits"),
)
# What a first training needs; the rest is folded away in the page, behind a button.
PLAIN = ("name", "mode", "base", "steps", "resolution", "lora_rank", "sample_every", "install", "wait")
NONE = "none"
HERE, EVERYWHERE = "this ComfyUI", "everywhere"


class ConceptdTrain:
    """Trains a concept; an unchanged node returns the concept that it made before."""

    DESCRIPTION = (
        "Learns a concept (a LoRA and its word) from pictures, in conceptd. Values that show their default are left to "
        "it. ComfyUI's models are unloaded first. Interrupting the run cancels the training."
    )
    CATEGORY = "concepts"
    FUNCTION = "train"
    RETURN_TYPES = ("CONCEPT", "STRING", "IMAGE", "STRING")
    RETURN_NAMES = ("concept", "prompt", "preview", "job_id")
    OUTPUT_TOOLTIPS = (
        "For Apply Concept.",
        "A prompt that calls it.",
        "The base beside the concept.",
        "The training in conceptd, at once if it is not waited for.",
    )
    OUTPUT_NODE = True

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        """Every field of the request."""
        found = widgets.fields()
        del found["dataset"]
        shown = {name: field.widget() for name, field in found.items()}
        shown.update(_own_widgets(found))
        for name, (_, options) in shown.items():
            if name not in PLAIN:
                options["advanced"] = True
        order = [name for name in ORDER if name in shown] + [name for name in shown if name not in ORDER]
        ordered = {name: shown[name] for name in order}
        required = {"dataset": (DATASET, {"tooltip": "From Concept Dataset or Caption Images."})}
        required.update({name: ordered.pop(name) for name in ("name", "mode", "base")})
        return {"required": required, "optional": ordered, "hidden": {"node": "UNIQUE_ID"}}

    @classmethod
    def VALIDATE_INPUTS(cls, base: str | None = None) -> bool | str:
        """The list of bases is not closed: it may have grown, and is empty while the daemon is away."""
        known = connection.models()
        if known is None:
            return connection.how_to_start()
        if base is None or any(base in (model["name"], model["path"]) for model in known):
            return True
        names = ", ".join(model["name"] for model in known) or "none"
        return f"conceptd has no checkpoint `{base}`; it has: {names}. `conceptd serve --models FOLDER` adds folders"

    @classmethod
    def IS_CHANGED(cls, wait: bool = True, **_: Any) -> float | bool:
        """Without waiting it looks again each time, whether the training is over; nothing is trained twice."""
        return True if wait else float("nan")

    @told
    def train(
        self,
        dataset: Mapping[str, Any],
        name: str,
        base: str,
        wait: bool = True,
        install: str = HERE,
        node: str | None = None,
        **shown: Any,
    ) -> dict[str, Any]:
        """Submits, unless that was done before, and waits."""
        daemon = Daemon()
        request = widgets.request({**shown, **_picked(shown)})
        if install == HERE:
            request["install"] = [installed.this_host(daemon)]
        elif install == EVERYWHERE:
            request["install"] = ["all"]
        request.update(dataset=dataset["id"], name=name.strip(), base=base)
        host.free_memory()
        job, concept = _submit_once(daemon, request)
        watcher = Watcher(daemon, job, node)
        if concept is None and wait:
            concept = daemon.wait(job, on_progress=watcher, check=host.stop_if_interrupted)
            catalog.changed()
        if concept is None:
            text = f"{job['id']}: {job['state']}. Run the graph again to fetch the concept when it is done"
            nothing = host.blocked()
            return {"ui": host.shown(text), "result": (nothing, nothing, nothing, job["id"])}
        png = daemon.preview(concept) if concept["preview"] else None
        watcher.finish(png)
        return _outcome(daemon.job(job), concept, png)


def _own_widgets(found: Mapping[str, widgets.Field]) -> dict[str, tuple[Any, dict[str, Any]]]:
    """Widgets whose choices or meaning the schema does not know."""
    known = connection.models()
    names = [] if known is None else [model["name"] for model in known]
    concepts = [NONE, *catalog.labels()]
    installing = "Where the finished concept is installed. everywhere: into every program that conceptd knows."
    waiting = (
        "Yes: the node shows progress and returns the concept. No: it returns the job at once, and the concept when "
        "the graph is run again after that."
    )
    own: dict[str, tuple[Any, dict[str, Any]]] = {
        "base": (names, {"tooltip": found["base"].widget()[1]["tooltip"]}),
        "install": ([HERE, EVERYWHERE, NONE], {"default": HERE, "tooltip": installing}),
        "wait": ("BOOLEAN", {"default": True, "tooltip": waiting}),
    }
    for name in ("continue_from", "recipe_from"):
        own[name] = (concepts, {"default": NONE, "tooltip": found[name].widget()[1]["tooltip"]})
    return own


def _picked(shown: Mapping[str, Any]) -> dict[str, str | None]:
    """Ids in place of what concepts are picked by."""
    picked = {name: shown.get(name, NONE) for name in ("continue_from", "recipe_from")}
    return {name: None if label == NONE else catalog.pick(label)["id"] for name, label in picked.items()}


def _submit_once(daemon: Daemon, request: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any] | None]:
    """The training of a request, made once for all runs, with its concept if it is done.

    One that failed, was cancelled, or whose concept was deleted, is not the last word: the next run tries again.
    """
    content = {**request, "captions": daemon.captions(request["dataset"])}
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
    attempt = 0
    while True:
        job = daemon.train(idempotency_key=f"comfyui-{digest}-{attempt}", **request)
        if job["state"] not in ("failed", "cancelled", "cancelling", "done"):
            return job, None
        if job["state"] == "done" and job["concept"]:
            try:
                return job, daemon.concept(job["concept"])
            except ConceptdError as error:
                if error.status != 404:
                    raise
        attempt += 1


def _outcome(job: Mapping[str, Any], view: Mapping[str, Any], png: bytes | None) -> dict[str, Any]:
    """What the node returns and shows."""
    text = [f"{view['name']} ({view['stem']}), step {view['step']}", *([view["verdict"]] if view["verdict"] else [])]
    for install in job.get("installs", []):
        text += [install["text"], *install["warnings"]]
    preview = host.blocked() if png is None else pictures.image(png)
    result = (catalog.of_view(view), view["prompts"]["comfyui"], preview, job["id"])
    return {"ui": host.shown("\n".join(text), png, f"{view['id']}.png"), "result": result}


class Watcher:
    """Shows in a node what happens in a job."""

    def __init__(self, daemon: Daemon, job: Mapping[str, Any], node: str | None) -> None:
        """Begins at nothing."""
        self._daemon = daemon
        self._job = job
        self._node = node
        self._show = host.progress(node)
        self._step, self._steps, self._stage = 0, 0, job["state"]
        self._notes: list[str] = []

    def __call__(self, event: Mapping[str, Any]) -> None:
        """Takes an event of the job."""
        kind = event["event"]
        if kind in ("step", "planned"):
            self._step, self._steps = event["step"], event["steps"]
            self._show(self._step, self._steps)
        if kind == "stage":
            self._stage = event["stage"]
        elif kind == "state":
            self._stage = event["state"]
        elif kind == "note":
            self._notes.append(event["text"])
        elif kind == "sample":
            self._show(self._step, self._steps, self._sample(event["step"]))
        host.say(self._text(event), self._node)

    def finish(self, png: bytes | None) -> None:
        """Shows the end in place of the last sample, which the page would keep."""
        if png is not None:
            self._show(1, 1, host.opened(png))

    def _text(self, event: Mapping[str, Any]) -> str:
        text = self._stage
        if self._step:
            text += f": {self._step} of {self._steps}"
        if event["event"] == "step":
            left = (self._steps - self._step) * event["seconds"]
            text += f", loss {event['loss']:.4f}, about {_duration(left)} left"
        return "\n".join([text, *self._notes[-3:]])

    def _sample(self, step: int) -> Image | None:
        """The picture that was drawn after a step."""
        drawn = [sample for sample in self._daemon.samples(self._job["id"]) if sample["step"] == step]
        return host.opened(self._daemon.picture(drawn[-1]["url"])) if drawn else None


def _duration(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes = seconds / 60
    return f"{minutes:.0f} min" if minutes < 100 else f"{minutes / 60:.1f} h"
