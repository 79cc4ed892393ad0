"""A daemon on a temporary home with the toy base, for soaks: started, killed, asked."""

import gzip
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = os.environ.get("CONCEPTD_BINARY", str(ROOT / "target/release/conceptd"))
KOJII = ROOT / "tests/toy/kojii"


class DaemonUnderTest:
    """One home; the daemon on it comes and goes."""

    def __init__(self, *flags):
        self.home = Path(tempfile.mkdtemp(prefix="conceptd-soak-"))
        self.flags = flags
        self.process = None
        self.base = self.home / "models/toyxl.safetensors"
        self.base.parent.mkdir()
        with gzip.open(ROOT / "tests/toy/toyxl.safetensors.gz") as packed, open(self.base, "wb") as unpacked:
            shutil.copyfileobj(packed, unpacked)

    def start(self):
        """Starts the daemon and returns when it answers."""
        (self.home / "daemon.json").unlink(missing_ok=True)
        command = [PROGRAM, "serve", "--home", self.home, "--port", "0", *self.flags]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        self.until(lambda: (self.home / "daemon.json").exists(), 10)

    def kill(self):
        """Ends it as a power cut would."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def close(self):
        """Ends it politely and removes the home."""
        self.process.terminate()
        self.process.wait()
        shutil.rmtree(self.home)

    @property
    def beacon(self):
        """What daemon.json says."""
        return json.loads((self.home / "daemon.json").read_text())

    @property
    def token(self):
        """The secret that requests must show."""
        return (self.home / "token").read_text().strip()

    def ask(self, path, body=None, kind="application/json", method=None):
        """The answer to a request: JSON as it is, anything else as bytes."""
        headers = {"Authorization": f"Bearer {self.token}"}
        if body is not None:
            headers["Content-Type"] = kind
            body = body if isinstance(body, bytes) else json.dumps(body).encode()
        request = urllib.request.Request(self.beacon["url"] + path, data=body, headers=headers, method=method)
        with urllib.request.urlopen(request, timeout=30) as answer:
            content = answer.read()
            return json.loads(content) if "json" in answer.headers["Content-Type"] else content

    def upload_kojii(self):
        """The id of a data set of kojii's pictures."""
        parts = []
        for path in sorted(KOJII.iterdir()):
            head = f'--kojii\r\nContent-Disposition: form-data; name="files"; filename="{path.name}"\r\n\r\n'
            parts += [head.encode(), path.read_bytes(), b"\r\n"]
        body = b"".join([*parts, b"--kojii--\r\n"])
        return self.ask("/v1/datasets", body, "multipart/form-data; boundary=kojii")["id"]

    def workers(self):
        """Processes of workers that belong to this home's daemon, past or present."""
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            try:
                command = (process / "cmdline").read_bytes().split(b"\0")
                log = os.readlink(process / "fd/2")
            except OSError:
                continue
            if b"worker" in command and log.startswith(str(self.home)):
                found.append(int(process.name))
        return found

    @staticmethod
    def until(condition, seconds):
        """Waits until something holds; fails the soak if it never does."""
        end = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > end:
                sys.exit(f"waited {seconds} s in vain")
            time.sleep(0.05)


def toy(steps, seed, batch_size=4):
    """Parameters that suit the toy base."""
    return {
        "resolution": 128, "steps": steps, "batch_size": batch_size, "lora_rank": 4, "learning_rate": 3e-3,
        "token_learning_rate": 3e-3, "noise_offset": 0, "snr_gamma": 0, "random_flip": False, "seed": seed,
        "sample_prompt": ["<concept> on grass"],
    }


def flags(parameters):
    """The same as flags of the command line."""
    out = []
    for name, value in parameters.items():
        for item in value if isinstance(value, list) else [value]:
            out += ["--" + name.replace("_", "-"), str(item).lower() if isinstance(item, bool) else str(item)]
    return out
