"""The daemon is killed 20 times at random moments while 5 jobs are queued: all finish, none twice, none is lost, and every
bundle equals that of an undisturbed run."""

import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from daemon_under_test import KOJII, PROGRAM, DaemonUnderTest, flags, toy

KILLS, JOBS, STEPS = 20, 5, 40


def main():
    daemon = DaemonUnderTest()
    daemon.start()
    dataset = daemon.upload_kojii()
    request = {"dataset": dataset, "name": "Kojii", "mode": "object", "base": "toyxl"}
    jobs = [daemon.ask("/v1/jobs", {**request, "parameters": toy(STEPS, seed)})["id"] for seed in range(JOBS)]
    moments = random.Random(7)
    for kill in range(KILLS):
        time.sleep(moments.uniform(0.2, 4.0))
        daemon.kill()
        daemon.start()
        states = [daemon.ask(f"/v1/jobs/{job}") for job in jobs]
        print(f"kill {kill + 1}:", ", ".join(f"{job['state']} {job['step']}" for job in states), flush=True)
    finished = {"done", "failed", "cancelled"}
    daemon.until(lambda: all(daemon.ask(f"/v1/jobs/{job}")["state"] in finished for job in jobs), 600)

    views = [daemon.ask(f"/v1/jobs/{job}") for job in jobs]
    concepts = daemon.ask("/v1/concepts")["items"]
    assert [view["state"] for view in views] == ["done"] * JOBS, [view["failure"] for view in views]
    assert len(concepts) == JOBS, "a job that finishes twice would leave two concepts"
    assert not daemon.workers(), "no worker is left"
    print("attempts:", [view["attempts"] for view in views])
    for seed, view in enumerate(views):
        with tempfile.TemporaryDirectory() as out:
            # The stem is part of the bytes, so that the undisturbed run must get the same.
            for version in range(1, seed + 1):
                (Path(out) / ("kojii.tar" if version == 1 else f"kojii-v{version}.tar")).touch()
            command = [PROGRAM, "train", KOJII, "--name", "Kojii", "--mode", "object", "--base", daemon.base, "--out", out]
            options = ["--no-samples", "--local", *flags(toy(STEPS, seed))]
            subprocess.run([*command, *options], check=True, stderr=subprocess.DEVNULL)
            whole = (Path(out) / f"{view['stem']}.tar").read_bytes()
        same = whole == daemon.ask(f"/v1/concepts/{view['concept']}/bundle")
        print(f"{view['stem']}: {'the same bytes' if same else 'OTHER BYTES'} as undisturbed")
        if not same:
            sys.exit(1)
    daemon.close()
    print(f"{JOBS} jobs done, {KILLS} kills, 0 lost, 0 twice")


if __name__ == "__main__":
    main()
