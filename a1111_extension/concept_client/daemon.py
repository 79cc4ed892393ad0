"""The daemon as a Python object: one method for each thing that it can do."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from . import home as homes
from . import views
from .errors import ConceptdError, DaemonNotRunning
from .events import FINAL_STATES, EventStream
from .looks import Looks
from .messages import Apply, Ref, applied, given, id_of, once, path_of, train_request
from .multipart import Form, files_of
from .places import Places
from .transport import Answer, Transport
from .waiting import TICK_SECONDS, Watch, failed

StrPath = str | os.PathLike[str]
# The daemon says a word every 15 s on a stream of events.
STREAM_TIMEOUT = 45.0
# It answers an upload when it has looked at every picture.
UPLOAD_TIMEOUT = 1800.0


class Daemon(Places, Looks):
    """A running conceptd. Any thread may call it; nothing is kept open between calls."""

    def __init__(
        self,
        home: StrPath | None = None,
        url: str | None = None,
        token: str | None = None,
        timeout: float = 60.0,
    ) -> None:
        """Finds the daemon by its home folder (`CONCEPTD_HOME`, else the usual one), or takes `url` and `token`.

        Nothing is asked yet: a daemon that is not running shows at the first call.
        """
        self.home = Path(home) if home is not None else homes.usual_home()
        self._url = url.rstrip("/") if url else None
        self._token = token
        self.process = None
        lost = None if url else self.home
        self._http = Transport(self._address, lost, timeout)

    def _address(self) -> tuple[str, str]:
        url = self._url
        if url is None:
            said = homes.beacon(self.home)
            if said is None:
                raise DaemonNotRunning(self.home)
            url = said["url"]
        return url, self._token if self._token is not None else homes.token(self.home)

    @classmethod
    def start(
        cls,
        program: StrPath = "conceptd",
        home: StrPath | None = None,
        port: int | None = 0,
        models: Iterable[StrPath] = (),
        roots: Iterable[StrPath] = (),
        arguments: Iterable[str] = (),
        timeout: float = 30.0,
    ) -> Daemon:
        """Starts `conceptd serve` for a home, unless it runs already, and waits until it answers.

        It goes on when this program ends. `port` 0 takes any free one, None the configured one; `arguments` are
        further ones of `conceptd serve`.
        """
        daemon = cls(home)
        if daemon.is_running():
            return daemon
        flags = [] if port is None else ["--port", str(port)]
        for flag, folders in (("--models", models), ("--root", roots)):
            for folder in folders:
                flags += [flag, os.fspath(folder)]
        daemon.process = homes.launch(program, daemon.home, [*flags, *arguments], daemon.is_running, timeout)
        return daemon

    def is_running(self) -> bool:
        """Whether the daemon answers, and to us."""
        try:
            self.version()
        except (DaemonNotRunning, ConceptdError):
            return False
        return True

    # The daemon itself.

    def version(self) -> views.Version:
        """Which daemon this is."""
        return self._http.json("GET", "/v1/version")

    def limits(self) -> views.Limits:
        """What is refused."""
        return self._http.json("GET", "/v1/limits")

    def models(self) -> Iterator[views.Model]:
        """Checkpoints in the configured folders, by path."""
        return self._pages("/v1/models")

    # Data sets.

    def upload(
        self,
        paths: StrPath | Iterable[StrPath],
        idempotency_key: str | None = None,
        on_progress: Callable[[int, int], None] | None = None,
    ) -> views.Dataset:
        """Makes a data set of files: pictures, prompts, zip and tar archives, and folders with such.

        Files are read while they are sent. `on_progress` is told bytes sent and all bytes.
        """
        form = Form(on_progress)
        for name, path in files_of([paths] if isinstance(paths, (str, os.PathLike)) else paths):
            form.file("files", name, path)
        return self._send_form("/v1/datasets", form, idempotency_key)

    def dataset_from_path(self, path: StrPath, idempotency_key: str | None = None) -> views.Dataset:
        """Makes a data set of a folder or archive that the daemon can read itself, below one of its roots."""
        return self._post("/v1/datasets", {"path": os.fspath(path)}, idempotency_key, timeout=UPLOAD_TIMEOUT)

    def datasets(self) -> Iterator[views.DatasetSummary]:
        """Data sets, newest first."""
        return self._pages("/v1/datasets")

    def dataset(self, id: Ref) -> views.Dataset:
        """What a data set holds."""
        return self._http.json("GET", path_of("datasets", id))

    def captions(self, id: Ref) -> dict[str, str | None]:
        """The prompts of a data set, by picture."""
        return self._http.json("GET", path_of("datasets", id, "captions"))["captions"]

    def set_captions(self, id: Ref, captions: Mapping[str, str | None]) -> dict[str, str | None]:
        """Changes prompts; pictures that are not named keep theirs."""
        return self._http.json("PUT", path_of("datasets", id, "captions"), {"captions": dict(captions)})["captions"]

    # Trainings.

    def plan(self, dataset: Ref, name: str, base: str, mode: views.Mode | None = None, **request: Any) -> views.Plan:
        """What `train` with the same arguments would do: every decision, memory, time, warnings."""
        return self._http.json("POST", "/v1/plans", train_request(dataset, name, base, mode, request))

    def train(
        self,
        dataset: Ref,
        name: str,
        base: str,
        mode: views.Mode | None = None,
        idempotency_key: str | None = None,
        **request: Any,
    ) -> views.Job:
        """Queues a training.

        `request` takes the further fields of a TrainRequest: `parameters` (a mapping), `vae`, `prediction`,
        `continue_from`, `recipe_from`, `priority`, `install` (ids of hosts, or `["all"]`), `courtesy`. With the same `idempotency_key` it is queued once, however often
        this is called.
        """
        return self._post("/v1/jobs", train_request(dataset, name, base, mode, request), idempotency_key)

    def jobs(self) -> Iterator[views.Job]:
        """Trainings, newest first."""
        return self._pages("/v1/jobs")

    def job(self, id: Ref) -> views.Job:
        """A training."""
        return self._http.json("GET", path_of("jobs", id))

    def cancel(self, id: Ref) -> views.Job:
        """Ends a training for good."""
        return self._http.json("POST", path_of("jobs", id, "cancel"))

    def pause(self, id: Ref) -> views.Job:
        """Stops a training at the next step and frees its memory."""
        return self._http.json("POST", path_of("jobs", id, "pause"))

    def resume(self, id: Ref) -> views.Job:
        """Lets a paused training go on."""
        return self._http.json("POST", path_of("jobs", id, "resume"))

    def sample(self, id: Ref) -> views.Job:
        """Lets a running training draw sample pictures at its next step."""
        return self._http.json("POST", path_of("jobs", id, "sample"))

    def prioritize(self, id: Ref, priority: int, before: Ref | None = None) -> views.Job:
        """Moves a training in the queue: larger goes first; `before` puts it directly before another one."""
        change = {"priority": priority, "before": None if before is None else id_of(before)}
        return self._http.json("PUT", path_of("jobs", id, "priority"), change)

    def events(self, id: Ref, last_event_id: int = 0, patience: float = 60.0) -> EventStream:
        """What happens in a job, from its beginning or behind `last_event_id`, until it is over.

        When the connection drops it is made again, and no event is lost or doubled; when nobody answers for
        `patience` seconds, DaemonNotRunning is raised.
        """
        path = path_of("jobs", id, "events")

        def connect(last: int) -> Answer:
            headers = {"Accept": "text/event-stream", "Last-Event-ID": str(last)}
            return self._http.open("GET", path, headers=headers, timeout=STREAM_TIMEOUT)

        return EventStream(connect, last_event_id, patience)

    def wait(
        self,
        id: Ref,
        on_progress: Callable[[views.Event], None] | None = None,
        cancel_on_interrupt: bool = True,
        check: Callable[[], None] | None = None,
    ) -> views.Concept:
        """Waits until a training is over and returns its concept; raises JobFailed if it has none.

        `on_progress` is told every event. `check` is called several times a second, for hosts that say by an exception
        that the user wants to stop. An exception from either, or Ctrl-C, cancels the job and goes on to the caller.
        """
        watch = Watch(self.events(id), on_progress, check)
        with self._cancelling(path_of("jobs", id, "cancel"), cancel_on_interrupt):
            watch.run()
        job = self.job(id)
        if job["state"] == "done" and job["concept"]:
            return self.concept(job["concept"])
        raise failed(job)

    def loss(self, id: Ref) -> views.LossCurve:
        """The curves of a training."""
        return self._http.json("GET", path_of("jobs", id, "loss"))

    def samples(self, id: Ref) -> list[views.Sample]:
        """The sample pictures of a training; `picture` fetches them."""
        return self._http.json("GET", path_of("jobs", id, "samples"))["items"]

    def log(self, id: Ref) -> str:
        """The end of the log of a training's worker."""
        return self._http.bytes("GET", path_of("jobs", id, "log")).decode("utf-8", "replace")

    # The library.

    def import_concept(
        self, tar: StrPath, mode: views.Mode, name: str | None = None, idempotency_key: str | None = None
    ) -> views.Concept:
        """Takes a bundle into the library; `mode` counts where the bundle does not say it."""
        form = Form()
        form.field("mode", mode)
        if name is not None:
            form.field("name", name)
        form.file("file", Path(tar).name, Path(tar))
        return self._send_form("/v1/concepts", form, idempotency_key)

    def concepts(self) -> Iterator[views.Concept]:
        """Concepts, newest first."""
        return self._pages("/v1/concepts")

    def concept(self, id: Ref) -> views.Concept:
        """A concept by its id, or by its name for the newest of that name."""
        return self._http.json("GET", path_of("concepts", id))

    def rename(self, id: Ref, name: str) -> views.Concept:
        """Gives a concept another name; its files keep theirs."""
        return self._http.json("PATCH", path_of("concepts", id), {"name": name})

    def delete(self, id: Ref) -> None:
        """Moves a concept to the trash in the home folder."""
        self._http.bytes("DELETE", path_of("concepts", id))

    def bundle(self, id: Ref, to: StrPath) -> Path:
        """Writes a concept's bundle to a file, or under its own name into a folder; returns the file's path."""
        target = Path(to)
        if target.is_dir():
            target = target / f"{self.concept(id)['stem']}.tar"
        self._http.download(path_of("concepts", id, "bundle"), target)
        return target

    def preview(self, id: Ref) -> bytes:
        """A PNG of the base beside the concept."""
        return self._http.bytes("GET", path_of("concepts", id, "preview"))

    # Pictures.

    def create(
        self,
        prompt: str,
        concepts: Iterable[Apply] = (),
        *,
        init_image: StrPath | bytes | None = None,
        idempotency_key: str | None = None,
        wait: bool = True,
        check: Callable[[], None] | None = None,
        **request: Any,
    ) -> list[bytes] | views.Creation:
        """Makes pictures and returns them as PNG files; without `wait` returns the creation at once.

        `request` takes the further fields of a CreationRequest: `base`, `negative`, `width`, `height`, `steps`, `cfg`,
        `seed`, `count`, `init_strength`. `check` and Ctrl-C are as in `wait`.
        """
        body = {"prompt": prompt, "concepts": [applied(concept) for concept in concepts], **given(request)}
        if init_image is not None:
            image = init_image if isinstance(init_image, bytes) else Path(init_image).read_bytes()
            body["init_image"] = base64.b64encode(image).decode("ascii")
        creation: views.Creation = self._post("/v1/creations", body, idempotency_key)
        if not wait:
            return creation
        with self._cancelling(path_of("creations", creation, "cancel")):
            while creation["state"] not in FINAL_STATES:
                if check:
                    check()
                time.sleep(TICK_SECONDS)
                creation = self.creation(creation)
        if creation["state"] != "done":
            raise failed(creation)
        return [self.picture(url) for url in creation["pictures"]]

    def creations(self) -> Iterator[views.Creation]:
        """Creations, newest first."""
        return self._pages("/v1/creations")

    def creation(self, id: Ref) -> views.Creation:
        """A creation."""
        return self._http.json("GET", path_of("creations", id))

    def cancel_creation(self, id: Ref) -> views.Creation:
        """Ends a creation."""
        return self._http.json("POST", path_of("creations", id, "cancel"))

    def picture(self, url: str) -> bytes:
        """A PNG that a sample or a creation names."""
        return self._http.bytes("GET", url)

    def expand_prompt(self, text: str, host: views.Host, concepts: Iterable[Apply] = ()) -> views.Prompt:
        """A prompt as ComfyUI or A1111 wants it: the names of `concepts`, `<Name>` and `<concept>` in it call them.

        Without `concepts` it calls those of the library that it names as `<Name>`, or by a distinctive name.
        """
        body = {"text": text, "host": host, "concepts": [applied(concept) for concept in concepts]}
        return self._http.json("POST", "/v1/prompts", body)

    # What several of them need.

    def _pages(self, path: str) -> Iterator[Any]:
        after = None
        while True:
            page = self._http.json("GET", path, query={"after": after, "limit": 200})
            yield from page["items"]
            after = page["next"]
            if after is None:
                return

    def _post(self, path: str, body: Any, idempotency_key: str | None, timeout: float | None = None) -> Any:
        return self._http.json("POST", path, body, headers=once(idempotency_key), timeout=timeout)

    def _send_form(self, path: str, form: Form, idempotency_key: str | None) -> Any:
        headers = {**form.headers, **once(idempotency_key)}
        connection, response = self._http.open("POST", path, headers=headers, body=form, timeout=UPLOAD_TIMEOUT)
        with contextlib.closing(connection):
            return json.loads(response.read())

    @contextlib.contextmanager
    def _cancelling(self, path: str, wanted: bool = True) -> Iterator[None]:
        """Cancels what is waited for when the waiting is interrupted."""
        try:
            yield
        except DaemonNotRunning:
            raise
        except BaseException:
            if wanted:
                # It may be over already, or nobody be there to cancel it; what interrupted us matters more.
                with contextlib.suppress(ConceptdError, DaemonNotRunning):
                    self._http.json("POST", path)
            raise
