"""A whole run in a network that has nothing but loopback: upload, training, concept."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

JOURNEY = """
import sys
sys.path.insert(0, {soak!r})
from daemon_under_test import DaemonUnderTest, toy
daemon = DaemonUnderTest("--offline")
daemon.start()
request = {{"dataset": daemon.upload_kojii(), "name": "Kojii", "mode": "object", "base": "toyxl"}}
job = daemon.ask("/v1/jobs", {{**request, "parameters": toy(8, 0, 2)}})["id"]
daemon.until(lambda: daemon.ask("/v1/jobs/" + job)["state"] in ("done", "failed"), 120)
view = daemon.ask("/v1/jobs/" + job)
bundle = daemon.ask("/v1/concepts/" + view["concept"] + "/bundle")
daemon.close()
print(view["state"], len(bundle) > 100_000)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="network namespaces are Linux's")
def test_a_run_needs_no_network():
    soak = Path(__file__).resolve().parents[1] / "soak"
    script = JOURNEY.format(soak=str(soak))
    alone = 'ip link set lo up && exec "$0" -c "$1"'
    command = ["unshare", "--map-root-user", "--net", "sh", "-c", alone, sys.executable, script]
    outcome = subprocess.run(command, capture_output=True, text=True, timeout=180, env={**os.environ, "RUST_BACKTRACE": "0"})
    assert outcome.stdout.strip() == "done True", outcome.stderr
