"""What the daemon answers with, for type checkers. Its OpenAPI document, `/openapi.json`, describes every field."""

from __future__ import annotations

from typing import Any, Literal, TypedDict

Mode = Literal["face", "object", "style"]
Host = Literal["comfyui", "a1111"]
HostKind = Literal["comfyui", "a1111", "forge"]
InstallState = Literal["installed", "seen", "unseen", "changed", "leaving", "failed"]
JobState = Literal["queued", "running", "paused", "cancelling", "done", "failed", "cancelled", "interrupted"]


class Version(TypedDict):
    """Which daemon this is."""

    version: str
    api: int
    device: str


class Limits(TypedDict):
    """What is refused."""

    pictures: int
    file_bytes: int
    dataset_bytes: int
    picture_pixels: int
    json_bytes: int
    queued_jobs: int


class Model(TypedDict):
    """A checkpoint among the configured folders; one with a `problem` cannot be used."""

    name: str
    path: str
    bytes: int
    family: Literal["sdxl", "sd15"] | None
    problem: str | None
    nonstandard: bool
    sha256: str | None


class Picture(TypedDict):
    """A picture of a data set."""

    name: str
    width: int
    height: int
    caption: str | None
    mask: bool
    repeats: int
    sha256: str


class Described(TypedDict):
    """What a captioner wrote: as it is learnt, as it was, and what was changed."""

    text: str
    raw: str
    by: str
    changes: list[str]


class CaptionSource(TypedDict):
    """The prompt of a picture and who wrote it."""

    picture: str
    text: str | None
    origin: Literal["edited", "beside", "model", "nobody"]
    described: Described | None


class SharedPhrase(TypedDict):
    """A word or two that nearly every caption has, and what that means."""

    phrase: str
    count: int
    meaning: str


class CaptionSources(TypedDict):
    """Prompts with who wrote them."""

    items: list[CaptionSource]
    shared: list[SharedPhrase]
    notes: list[str]


class VisionModel(TypedDict):
    """An installed model that looks at pictures."""

    id: str
    purpose: str
    form: str
    bytes: int
    problem: str | None


class SkippedFile(TypedDict):
    """A file that is not used, and why."""

    name: str
    reason: str


class Dataset(TypedDict):
    """A data set; `looked_at` counts pictures while a captioning or an examination goes on."""

    id: str
    bytes: int
    created_at_ms: int
    looked_at: int | None
    pictures: list[Picture]
    skipped: list[SkippedFile]
    notes: list[str]


class DatasetSummary(TypedDict):
    """A data set in a list; `pictures` counts them."""

    id: str
    pictures: int
    bytes: int
    created_at_ms: int


class ResolvedParameter(TypedDict):
    """A parameter as it was decided, and why."""

    parameter: str
    value: str
    why: str


class Advice(TypedDict):
    """Something to know before training; the code is stable."""

    code: str
    text: str


class Plan(TypedDict):
    """What a training would do; `request` is exactly what submitting it would run."""

    stem: str
    pictures: int
    steps: int | None
    resolved: list[ResolvedParameter]
    memory_bytes: int
    disk_bytes: int
    seconds: float | None
    warnings: list[Advice]
    request: dict[str, Any]


class Failure(TypedDict):
    """Why a job failed."""

    code: str
    reason: str


class Install(TypedDict):
    """A concept in a host; `text` says how it stands and what to do."""

    concept: str
    host: str
    kind: HostKind
    state: InstallState
    text: str
    stem: str
    files: list[str]
    warnings: list[str]


class KnownHost(TypedDict):
    """A host that concepts are installed into."""

    id: str
    kind: HostKind
    folder: str
    loras: str
    embeddings: str
    url: str | None
    created_at_ms: int


class FoundHost(TypedDict):
    """A host on this machine and how it was found; `known` is its id, if it is known already."""

    kind: HostKind
    folder: str
    loras: str | None
    embeddings: str | None
    url: str | None
    evidence: str
    known: str | None


class HostCheck(TypedDict):
    """How a host stands; `running` is None where it has no address."""

    host: KnownHost
    running: bool | None
    problems: list[str]
    installs: list[Install]


class Job(TypedDict):
    """A training."""

    id: str
    name: str
    stem: str
    mode: Mode
    state: JobState
    stage: str | None
    step: int
    steps: int
    loss: float | None
    held_out: float | None
    seconds_per_step: float | None
    eta_seconds: float | None
    priority: int
    ahead: int | None
    failure: Failure | None
    dataset: str
    base: str
    concept: str | None
    installs: list[Install]
    waits_for: str | None
    attempts: int
    created_at_ms: int
    started_at_ms: int | None
    finished_at_ms: int | None


class _EventHead(TypedDict):
    id: int
    at_ms: int
    event: Literal["state", "stage", "note", "planned", "step", "saved", "snapshot", "sample", "done", "failed"]


class Event(_EventHead, total=False):
    """Something that happened in a job. Which of the further fields are there depends on `event`."""

    state: JobState
    stage: str
    text: str
    step: int
    steps: int
    batch_size: int
    pictures: int
    loss: float
    seconds: float
    held_out: float
    file: str
    bundle: str
    failure: Failure


class LossPoint(TypedDict):
    """Loss of an update, or the held-out error behind it."""

    step: int
    value: float


class LossCurve(TypedDict):
    """The curves of a job."""

    training: list[LossPoint]
    held_out: list[LossPoint]


class Sample(TypedDict):
    """A sample picture; `Daemon.picture` fetches its `url`."""

    step: int
    url: str


class Concept(TypedDict):
    """A concept of the library."""

    id: str
    name: str
    version: int
    stem: str
    mode: Mode
    source: Literal["trained", "imported"]
    job: str | None
    family: Literal["sdxl", "sd15"]
    base_sha256: str | None
    base_nonstandard: bool
    tokens: int
    step: int | None
    verdict: str | None
    bare_name: bool
    installs: list[Install]
    prompts: dict[Host, str]
    preview: bool
    created_at_ms: int


class Applied(TypedDict):
    """A concept at a strength."""

    concept: str
    strength: float


class Creation(TypedDict):
    """Pictures, made or to be made."""

    id: str
    state: JobState
    request: dict[str, Any]
    pictures: list[str]
    failure: Failure | None
    created_at_ms: int
    finished_at_ms: int | None


class Prompt(TypedDict):
    """A prompt as a host wants it, the LoRA files to load beside it, and the ids of the concepts that it calls."""

    text: str
    loras: list[Applied]
    called: list[str]


class Watched(TypedDict):
    """A data set of a watched folder; `text` says how it stands, and what to do."""

    name: str
    state: Literal["settling", "training", "done", "failed"]
    text: str
    job: str | None


class Watch(TypedDict):
    """A watched folder; `problem` says why nothing is seen of it."""

    id: str
    folder: str
    mode: Mode
    base: str
    install: list[str]
    quiet_seconds: int
    rescan_seconds: int
    parameters: dict[str, Any]
    problem: str | None
    sets: list[Watched]
    created_at_ms: int
