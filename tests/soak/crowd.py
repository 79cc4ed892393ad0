"""200 status pollers and 50 listeners beside a training on one core: how long answers take, and what a step costs the trainer
with and without them. Phases alternate within one run, so that both are measured under the same conditions."""

import asyncio
import os
import sqlite3
import statistics
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

from daemon_under_test import DaemonUnderTest, toy

POLLERS, LISTENERS, PHASE, PHASES = 200, 50, 20, 6


def cpu_seconds(pid):
    """Processor time of a process, user and system together."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def poller(address, request, latencies, stop, delay):
    """Asks for the job's state once a second over one connection."""
    reader, writer = await asyncio.open_connection(*address)
    await asyncio.sleep(delay)
    while not stop.is_set():
        begun = time.perf_counter()
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200"), head
        length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        await reader.readexactly(length)
        latencies.append(time.perf_counter() - begun)
        await asyncio.sleep(1)
    writer.close()


async def listener(address, request, seen, stop):
    """Reads events as they happen."""
    reader, writer = await asyncio.open_connection(*address)
    writer.write(request)
    while not stop.is_set():
        try:
            line = await asyncio.wait_for(reader.readline(), 1)
        except TimeoutError:
            continue
        seen[0] += line.startswith(b"data:")
        if not line:
            break
    writer.close()


async def crowd(address, status, events, latencies, seen):
    """Everybody for one phase."""
    stop = asyncio.Event()
    pollers = [poller(address, status, latencies, stop, i / POLLERS) for i in range(POLLERS)]
    everybody = asyncio.gather(*pollers, *(listener(address, events, seen, stop) for _ in range(LISTENERS)))
    await asyncio.sleep(PHASE)
    stop.set()
    await everybody


def main():
    daemon = DaemonUnderTest("--threads", "1")
    daemon.start()
    request = {"dataset": daemon.upload_kojii(), "name": "Kojii", "mode": "object", "base": "toyxl"}
    job = daemon.ask("/v1/jobs", {**request, "parameters": {**toy(100_000, 0), "save_every": 100_000}})["id"]
    daemon.until(lambda: daemon.ask(f"/v1/jobs/{job}")["step"] > 20, 120)
    (worker,) = daemon.workers()
    url = urlsplit(daemon.beacon["url"])
    head = f"Host: {url.netloc}\r\nAuthorization: Bearer {daemon.token}\r\n"
    status = f"GET /v1/jobs/{job} HTTP/1.1\r\n{head}\r\n".encode()
    latencies, seen, costs = [], [0], {False: [], True: []}
    for phase in range(PHASES):
        crowded = phase % 2 == 1
        before, step = cpu_seconds(worker), daemon.ask(f"/v1/jobs/{job}")["step"]
        if crowded:
            # Listeners hear what happens from now on; the history is not replayed to them.
            with sqlite3.connect(daemon.home / "conceptd.db") as database:
                (last,) = database.execute("SELECT max(id) FROM events").fetchone()
            events = f"GET /v1/jobs/{job}/events HTTP/1.1\r\n{head}Last-Event-ID: {last}\r\n\r\n".encode()
            asyncio.run(crowd((url.hostname, url.port), status, events, latencies, seen))
        else:
            time.sleep(PHASE)
        steps = daemon.ask(f"/v1/jobs/{job}")["step"] - step
        costs[crowded].append((cpu_seconds(worker) - before) / steps)
    daemon.ask(f"/v1/jobs/{job}/cancel", b"", method="POST")
    daemon.close()

    alone, among = (statistics.mean(costs[crowded]) for crowded in (False, True))
    p50, p99 = (statistics.quantiles(latencies, n=100)[i] * 1000 for i in (49, 98))
    print(f"{len(latencies)} answers: median {p50:.1f} ms, 99 % within {p99:.1f} ms, longest {max(latencies) * 1000:.1f} ms")
    print(f"{seen[0]} events heard by {LISTENERS} listeners")
    print(f"processor seconds a step: alone {alone:.4f}, in the crowd {among:.4f} ({100 * (among / alone - 1):+.1f} %)")
    print("each phase:", [f"{cost:.4f}" for pair in zip(costs[False], costs[True]) for cost in pair])
    if p99 > 20 or among > 1.03 * alone:
        sys.exit("too slow")


if __name__ == "__main__":
    main()
