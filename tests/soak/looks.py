"""A thousand pictures examined and captioned: by conceptd, and by the same pipeline in Python (onnxruntime, Pillow, numpy).

    python tests/soak/looks.py [--pictures 1000]

Both decode, measure blur, light, colour and likeness, and run the toy tagger; conceptd also crafts captions, looks for subjects and draws
the sheet. One after the other, with peak memory of each process. The pictures are parts of photographs that scikit-image carries.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
TAGGER = ROOT / "tests" / "toy" / "tagger"
PROGRAM = Path(os.environ.get("CONCEPTD_BINARY") or ROOT / "target" / "release" / "conceptd")


def make(folder: Path, count: int) -> None:
    """Writes parts of photographs as JPEGs of 1024 px."""
    from PIL import Image

    photographs = [Image.open(path).convert("RGB") for path in sorted((ROOT / "target/real").glob("*.[pj][np]g"))]
    rng = random.Random(5)
    for i in range(count):
        photograph = photographs[i % len(photographs)]
        side = rng.uniform(0.4, 1.0)
        width, height = int(photograph.width * side), int(photograph.height * side)
        left, top = rng.randrange(photograph.width - width + 1), rng.randrange(photograph.height - height + 1)
        part = photograph.crop((left, top, left + width, top + height))
        size = rng.choice([(1024, 768), (768, 1024), (1024, 1024)])
        part.resize(size, Image.Resampling.LANCZOS).save(folder / f"{i:04}.jpg", quality=rng.choice([80, 90, 95]))


def in_python(folder: Path) -> None:
    """The same in Python."""
    import numpy as np
    import onnxruntime
    from PIL import Image, ImageOps

    session = onnxruntime.InferenceSession(TAGGER / "model.onnx", providers=["CPUExecutionProvider"])
    with (TAGGER / "selected_tags.csv").open() as file:
        tags = [(row["name"], int(row["category"])) for row in csv.DictReader(file)]
    side = session.get_inputs()[0].shape[1]
    hashes, told = [], {}
    for path in sorted(folder.iterdir()):
        with Image.open(path) as file:
            picture = ImageOps.exif_transpose(file).convert("RGB")
        pixels = np.asarray(picture, dtype=np.float32)
        grey = pixels @ np.float32([0.299, 0.587, 0.114])
        sharp = (4 * grey[1:-1, 1:-1] - grey[:-2, 1:-1] - grey[2:, 1:-1] - grey[1:-1, :-2] - grey[1:-1, 2:]).var()
        blocks = abs(grey[:, 8::8] - grey[:, 7:-1:8]).mean() - abs(grey[:, 4::8] - grey[:, 3:-1:8]).mean()
        light = (grey.mean(), (grey > 250).mean(), (grey < 5).mean(), (pixels.max(2) - pixels.min(2)).mean())
        small = np.asarray(picture.convert("L").resize((9, 8), Image.Resampling.BILINEAR), dtype=np.int16)
        hashes.append(np.packbits(small[:, 1:] > small[:, :-1]))
        largest = max(picture.size)
        square = Image.new("RGB", (largest, largest), "white")
        square.paste(picture, ((largest - picture.width) // 2, (largest - picture.height) // 2))
        seen = np.asarray(square.resize((side, side), Image.Resampling.BICUBIC), dtype=np.float32)[None, :, :, ::-1]
        scores = session.run(None, {"input": np.ascontiguousarray(seen)})[0][0]
        words = [name.replace("_", " ") for (name, kind), score in zip(tags, scores) if kind == 0 and score > 0.35]
        told[path.name] = (", ".join(words), float(sharp), float(blocks), *map(float, light))
    hashes = np.stack(hashes)
    alike = sum(int((np.unpackbits(hashes[i + 1 :] ^ hashes[i], axis=1).sum(1) <= 4).sum()) for i in range(len(hashes)))
    print(json.dumps({"pictures": len(told), "alike": alike}))


def measured(command: list[str | Path]) -> tuple[float, float, str]:
    """(seconds, peak MiB, output) of a command."""
    begun = time.monotonic()
    # A process of its own, so that its children alone are counted.
    code = "import resource,subprocess,sys;done=subprocess.run(sys.argv[1:],capture_output=True,text=True);"
    code += "assert done.returncode==0,done.stderr;"
    code += "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss);print(done.stdout)"
    done = subprocess.run([sys.executable, "-c", code, *command], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    peak, _, output = done.stdout.partition("\n")
    return time.monotonic() - begun, int(peak) / 1024, output


def main() -> None:
    """Runs both on the same pictures."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--pictures", type=int, default=1000)
    parser.add_argument("--folder", type=Path, help="run the Python pipeline on this folder alone")
    given = parser.parse_args()
    if given.folder:
        return in_python(given.folder)
    with tempfile.TemporaryDirectory() as temporary:
        home, sets = Path(temporary) / "home", {}
        for count in (given.pictures // 10, given.pictures):
            sets[count] = Path(temporary) / str(count)
            sets[count].mkdir()
            make(sets[count], count)
        subprocess.run([PROGRAM, "models", "add", TAGGER, "--home", home], check=True, capture_output=True)
        print("| | pictures | seconds | pictures a second | peak memory, MiB |\n|---|---|---|---|---|")
        for count, folder in sets.items():
            look = ["--mode", "object", "--name", "x", "--captioner", "--report", "--json", "--home", home]
            ours = [PROGRAM, "captions", folder, *look, "--sheet", Path(temporary) / "sheet.png"]
            for name, command in (("conceptd", ours), ("Python", [sys.executable, __file__, "--folder", folder])):
                seconds, peak, output = measured(command)
                seen = json.loads(output)["pictures"]
                assert (seen if isinstance(seen, int) else len(seen)) == count
                print(f"| {name} | {count} | {seconds:.1f} | {count / seconds:.1f} | {peak:.0f} |", flush=True)


if __name__ == "__main__":
    main()
