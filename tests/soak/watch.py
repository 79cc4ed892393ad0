"""10,000 files are copied slowly into 20 data sets of a watched folder while the daemon is killed 5 times: 20 trainings,
each exactly once, each of all 500 files; and requests are answered meanwhile."""

import io
import random
import shutil
import struct
import threading
import time
import zlib

from daemon_under_test import DaemonUnderTest, toy

SETS, PICTURES, QUIET = 20, 500, 5
# Copying takes so long.
COPYING = 120
# The daemon is killed so many seconds after so many trainings are done: twice while files are copied, once while the
# first data sets are read, twice while some have their results.
KILLS = [(0, 25), (0, 35), (0, 12), (4, 3), (12, 3)]


def png(side, color):
    """A picture of one gradient, as a file."""
    rows = b"".join(
        b"\0" + bytes((color[c] + x * (c + 1) + y) % 256 for x in range(side) for c in range(3)) for y in range(side)
    )
    out = io.BytesIO(b"")
    out.write(b"\x89PNG\r\n\x1a\n")
    for kind, data in (
        (b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)),
        (b"IDAT", zlib.compress(rows)),
        (b"IEND", b""),
    ):
        out.write(struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)))
    return out.getvalue()


def copy_slowly(folder):
    """All data sets grow side by side, file by file, each file in two halves."""
    pause = COPYING / PICTURES
    for number in range(PICTURES):
        begun = time.monotonic()
        for place in range(SETS):
            content = png(16, (number % 256, number // 256 * 64, place * 12))
            with open(folder / f"object_set {place}" / f"{number}.png", "wb") as file:
                file.write(content[:40])
                file.flush()
                file.write(content[40:])
        time.sleep(max(0, pause - (time.monotonic() - begun)))


def main():
    daemon = DaemonUnderTest()
    daemon.start()
    folder = daemon.home.with_name(daemon.home.name + "-watched")
    for place in range(SETS):
        (folder / f"object_set {place}").mkdir(parents=True)
    parameters = {**toy(2, 0, batch_size=1), "resolution": 64, "save_every": 2}
    request = {
        "folder": str(folder), "mode": "style", "base": "toyxl", "quiet_seconds": QUIET, "parameters": parameters,
    }
    watch = daemon.ask("/v1/watches", request)["id"]
    copier = threading.Thread(target=copy_slowly, args=(folder,))
    copier.start()

    slowest = 0.0

    def states():
        nonlocal slowest
        begun = time.monotonic()
        view = daemon.ask(f"/v1/watches/{watch}")
        slowest = max(slowest, time.monotonic() - begun)
        assert view["problem"] is None, view["problem"]
        return [found["state"] for found in view["sets"]]

    def wait(seconds):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            states()
            time.sleep(0.1)

    def count(found):
        return ", ".join(f"{found.count(state)} {state}" for state in ("settling", "training", "done", "failed"))

    moments = random.Random(7)
    for number, (done, seconds) in enumerate(KILLS, 1):
        if number == 3:
            copier.join()
            assert not daemon.ask("/v1/jobs")["items"], "a data set trained before it was whole"
            print("copied", flush=True)
        daemon.until(lambda done=done: states().count("done") >= done, 1800)
        wait(seconds * moments.uniform(0.8, 1.2))
        before = count(states())
        daemon.kill()
        daemon.start()
        print(f"kill {number}: {before}", flush=True)
    begun = time.monotonic()
    daemon.until(lambda: states().count("done") == SETS, 1800)
    print(f"all done {time.monotonic() - begun:.0f} s behind the last kill", flush=True)

    view = daemon.ask(f"/v1/watches/{watch}")
    jobs = daemon.ask("/v1/jobs?limit=200")["items"]
    concepts = daemon.ask("/v1/concepts?limit=200")["items"]
    datasets = daemon.ask("/v1/datasets?limit=200")["items"]
    names = sorted(f"set {place}" for place in range(SETS))
    assert sorted(job["name"] for job in jobs) == names, [job["name"] for job in jobs]
    assert sorted(concept["name"] for concept in concepts) == names, [concept["name"] for concept in concepts]
    assert all(concept["version"] == 1 for concept in concepts)
    assert len(datasets) == SETS, [dataset["id"] for dataset in datasets]
    assert {job["state"] for job in jobs} == {"done"}
    assert sorted(found["job"] for found in view["sets"]) == sorted(job["id"] for job in jobs)
    pictures = {dataset["id"]: dataset["pictures"] for dataset in datasets}
    assert [pictures[job["dataset"]] for job in jobs] == [PICTURES] * SETS, pictures
    daemon.until(lambda: all((folder / f"object_set {place}" / "RESULT.md").is_file() for place in range(SETS)), 30)
    daemon.ask(f"/v1/watches/{watch}/rescan", b"", method="POST")
    wait(2 * QUIET)
    assert len(daemon.ask("/v1/jobs?limit=200")["items"]) == SETS
    attempts = [job["attempts"] for job in jobs]
    daemon.close()
    shutil.rmtree(folder)
    print(f"attempts: {attempts}; longest answer: {slowest * 1000:.0f} ms")
    counts = f"{SETS * PICTURES} files, {SETS} data sets, {len(KILLS)} kills: {len(jobs)} trainings"
    print(f"{counts}, 0 lost, 0 twice, none too early")


if __name__ == "__main__":
    main()
