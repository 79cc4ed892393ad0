"""Jobs under stress: paused, cancelled, killed, reordered, submitted twenty times at once; the bytes stay the same."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest
import toy
from concept_client import ConceptdError, Daemon, JobFailed
from conftest import Launch
from processes import lives, until, worker, workers


@pytest.fixture
def fresh(launch: Launch) -> tuple[Daemon, dict]:
    """A daemon that knows no concept yet, and the pictures in it: only the first of a name has the reference's stem."""
    daemon = launch()
    return daemon, daemon.upload(toy.PICTURES)


@pytest.fixture
def long_job(daemon: Daemon, dataset: dict) -> Iterator[dict]:
    """A training that holds the lane until it is cancelled."""
    job = toy.submit(daemon, dataset, name="long", steps=5000, save_every=5000, sample_every=0)
    yield job
    cancel_all(daemon)


def cancel_all(daemon: Daemon) -> None:
    """Ends what a test left in the queue, the last in line first, so that nothing is started in between."""
    ids = [job["id"] for job in daemon.jobs() if job["state"] not in ("done", "failed", "cancelled")]
    for id in ids:
        daemon.cancel(id)
    until(lambda: all(daemon.job(id)["state"] == "cancelled" for id in ids))


def reached(daemon: Daemon, job: dict, kind: str, step: int = 0) -> None:
    """Returns when a job has said something of a step."""
    with daemon.events(job) as stream:
        assert any(event["event"] == kind and event.get("step", 0) >= step for event in stream)


def notes(daemon: Daemon, job: dict) -> list[str]:
    """What the user is told about a job that is over."""
    return [event["text"] for event in daemon.events(job) if event["event"] == "note"]


def states(daemon: Daemon, job: dict) -> list[str]:
    """Through which states a job that is over has gone."""
    return [event["state"] for event in daemon.events(job) if event["event"] == "state"]


def test_pause_frees_the_worker_and_resume_changes_nothing(
    fresh: tuple[Daemon, dict], reference: bytes, tmp_path: Path
) -> None:
    daemon, dataset = fresh
    job = toy.submit(daemon, dataset)
    process = worker(daemon.process.pid)
    reached(daemon, job, "step", 3)
    begun = time.monotonic()
    daemon.pause(job)
    until(lambda: not lives(process), seconds=3)
    until(lambda: daemon.job(job)["state"] == "paused", seconds=1)
    assert time.monotonic() - begun < 3
    assert daemon.job(job)["stage"] is None
    # It stays so, also when told again, until it is resumed.
    assert daemon.pause(job)["state"] == "paused"
    assert daemon.resume(job)["state"] in ("queued", "running")
    concept = daemon.wait(job)
    assert toy.bundle_bytes(daemon, concept, tmp_path) == reference
    with pytest.raises(ConceptdError) as refusal:
        daemon.resume(job)
    assert (refusal.value.status, refusal.value.code) == (409, "conflict")


def test_cancel_frees_the_worker(daemon: Daemon, long_job: dict) -> None:
    process = worker(daemon.process.pid)
    reached(daemon, long_job, "step", 1)
    begun = time.monotonic()
    daemon.cancel(long_job)
    until(lambda: not lives(process), seconds=2)
    until(lambda: daemon.job(long_job)["state"] == "cancelled", seconds=2)
    assert time.monotonic() - begun < 2
    assert states(daemon, long_job) == ["queued", "running", "cancelling", "cancelled"]
    with pytest.raises(JobFailed) as failure:
        daemon.wait(long_job)
    assert failure.value.code == "cancelled"


def test_a_killed_worker_is_replaced_and_nothing_changes(
    fresh: tuple[Daemon, dict], reference: bytes, tmp_path: Path
) -> None:
    daemon, dataset = fresh
    job = toy.submit(daemon, dataset)
    process = worker(daemon.process.pid)
    # Beyond the snapshot of step 5, so that two steps are made again.
    reached(daemon, job, "step", 7)
    process.kill()
    concept = daemon.wait(job)
    assert daemon.job(job)["attempts"] == 2
    assert any("going on from step 5" in note for note in notes(daemon, job))
    assert toy.bundle_bytes(daemon, concept, tmp_path) == reference
    steps = [point["step"] for point in daemon.loss(job)["training"]]
    assert steps == list(range(1, toy.PARAMETERS["steps"] + 1)), "no step twice in the curve"


@pytest.mark.skipif(sys.platform == "win32", reason="processes have no signals there")
@pytest.mark.parametrize(
    ("by", "code", "attempts"),
    [
        # Not SIGSEGV, which Rust's runtime survives once when there was no bad access.
        pytest.param("SIGABRT", "worker_died", 4, id="crashes"),
        # Killed unasked is how Linux answers too little memory: each attempt takes less, until none can.
        pytest.param("SIGKILL", "out_of_memory", 5, id="killed by the system"),
    ],
)
def test_a_worker_that_dies_again_and_again_ends_the_job(
    daemon: Daemon, dataset: dict, by: str, code: str, attempts: int
) -> None:
    job = toy.submit(daemon, dataset, name="doomed", steps=5000)
    seen: set[int] = set()

    def end_next() -> bool:
        for process in workers(daemon.process.pid):
            if process.pid not in seen:
                seen.add(process.pid)
                process.send_signal(signal.Signals[by])
        return daemon.job(job)["state"] == "failed"

    try:
        until(end_next, every=0.005)
    finally:
        cancel_all(daemon)
    with pytest.raises(JobFailed) as failure:
        daemon.wait(job)
    assert (failure.value.code, len(seen)) == (code, attempts), failure.value.reason
    assert not any(event["event"] == "step" for event in daemon.events(job))
    assert len(notes(daemon, job)) == attempts - 1, "every replacement is told"


def test_the_queue_is_reordered(daemon: Daemon, dataset: dict, long_job: dict) -> None:
    until(lambda: daemon.job(long_job)["state"] == "running")
    a, b, c = (toy.submit(daemon, dataset, name=name) for name in "abc")

    def order() -> list[str]:
        waiting = [daemon.job(job) for job in (a, b, c)]
        return [job["name"] for job in sorted(waiting, key=lambda job: job["ahead"])]

    assert order() == ["a", "b", "c"]
    daemon.prioritize(c, 5)
    assert order() == ["c", "a", "b"]
    daemon.prioritize(b, 0, before=a)
    assert order() == ["c", "b", "a"]
    daemon.prioritize(c, -1)
    assert order() == ["b", "a", "c"]
    with pytest.raises(ConceptdError) as refusal:
        daemon.prioritize(a, 1001)
    assert (refusal.value.status, refusal.value.field) == (422, "priority")
    with pytest.raises(ConceptdError) as refusal:
        daemon.prioritize(a, 0, before="job-nowhere")
    assert (refusal.value.status, refusal.value.field) == (422, "before")


def test_twenty_submits_with_one_key_make_one_job(daemon: Daemon, dataset: dict, long_job: dict) -> None:
    with ThreadPoolExecutor(20) as threads:
        jobs = list(threads.map(lambda _: toy.submit(daemon, dataset, name="once", key="twenty"), range(20)))
    assert len({job["id"] for job in jobs}) == 1
    assert sum(job["name"] == "once" for job in daemon.jobs()) == 1


def test_a_killed_daemon_goes_on_where_it_was(
    fresh: tuple[Daemon, dict], launch: Launch, reference: bytes, tmp_path: Path
) -> None:
    daemon, dataset = fresh
    job = toy.submit(daemon, dataset)
    process = worker(daemon.process.pid)
    reached(daemon, job, "step", 7)
    daemon.process.kill()
    daemon.process.wait()
    again = launch(daemon.home)
    assert not lives(process), "the worker of the daemon that died is ended before another is started"
    # The same client finds it, at another port.
    concept = daemon.wait(job)
    assert [c["id"] for c in again.concepts()] == [concept["id"]]
    assert toy.bundle_bytes(daemon, concept, tmp_path) == reference
    assert states(daemon, job).count("done") == 1
    assert "interrupted" in states(daemon, job)
    until(lambda: not workers(again.process.pid), seconds=5)
    assert not psutil.pid_exists(process.pid) or not lives(process)
