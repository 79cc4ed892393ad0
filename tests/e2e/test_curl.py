"""The shortest journey with curl, for everybody who has neither our client nor Python."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest
import toy
from concept_client import Daemon

pytestmark = pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")


class Curl:
    """Runs curl as a person would, with the token of a home folder."""

    def __init__(self, home: Path) -> None:
        self._url = json.loads((home / "daemon.json").read_text())["url"]
        self._token = (home / "token").read_text().strip()

    def __call__(self, path: str, *arguments: object) -> bytes:
        command = ["curl", "-sS", "--fail-with-body", "-H", f"Authorization: Bearer {self._token}"]
        done = subprocess.run([*command, *map(str, arguments), self._url + path], capture_output=True, timeout=120)
        assert done.returncode == 0, (done.stdout, done.stderr)
        return done.stdout

    def json(self, path: str, *arguments: object) -> dict:
        """An answer in JSON."""
        return json.loads(self(path, *arguments))

    def post(self, path: str, body: dict, *arguments: object) -> dict:
        """Sends JSON."""
        return self.json(path, "-H", "Content-Type: application/json", "-d", json.dumps(body), *arguments)


def test_the_journey_with_curl(daemon: Daemon, kojii_zip: Path, reference: bytes, tmp_path: Path) -> None:
    curl = Curl(daemon.home)
    dataset = curl.json("/v1/datasets", "-F", f"files=@{kojii_zip}")
    assert len(dataset["pictures"]) == 6
    body = {"dataset": dataset["id"], "name": toy.NAME, "base": toy.BASE, "mode": toy.MODE}
    body["parameters"] = toy.PARAMETERS
    assert curl.post("/v1/plans", body)["steps"] == toy.PARAMETERS["steps"]
    jobs = [curl.post("/v1/jobs", body, "-H", "Idempotency-Key: by-hand") for _ in range(2)]
    assert jobs[0]["id"] == jobs[1]["id"]
    job = f"/v1/jobs/{jobs[0]['id']}"

    # One second of events, then the rest behind the last that arrived whole.
    cut = subprocess.run(
        ["curl", "-sSN", "-m", "1", "-H", f"Authorization: Bearer {curl._token}", f"{curl._url}{job}/events"],
        capture_output=True,
    )
    assert cut.returncode == 28, "the time was over before the job"
    first = _events(cut.stdout)
    rest = _events(curl(f"{job}/events", "-N", "-H", f"Last-Event-ID: {first[-1]['id']}"))
    ids = [event["id"] for event in [*first, *rest]]
    assert ids == sorted(set(ids))
    assert [*first, *rest] == _events(curl(f"{job}/events", "-N"))

    done = curl.json(job)
    assert done["state"] == "done", done["failure"]
    [sample, *_] = curl.json(f"{job}/samples")["items"]
    assert curl(sample["url"]).startswith(b"\x89PNG")
    curl(f"/v1/concepts/{done['concept']}/bundle", "-o", tmp_path / "kojii.tar")
    assert (tmp_path / "kojii.tar").read_bytes() == reference


def _events(stream: bytes) -> list[dict]:
    complete = stream.decode().split("\n\n")[:-1]
    return [json.loads(line[6:]) for event in complete for line in event.splitlines() if line.startswith("data: ")]
