"""Digests of what Pillow's `resize` and OpenCV's INTER_AREA make of pictures that the tests draw again: resample/expected.json.

Needs Pillow 12 (13 chooses the order of its passes by size), numpy and opencv-python:
    python make_resample.py
"""

import hashlib
import json
from pathlib import Path

import cv2
import numpy
import PIL
from PIL import Image

FILTERS = {
    "box": Image.Resampling.BOX,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}
# Old width, old height, new width, new height.
SIZES = [
    (64, 64, 64, 64),
    (97, 61, 31, 45),
    (97, 61, 200, 150),
    (97, 61, 97, 13),
    (97, 61, 500, 61),
    (1, 1, 7, 5),
    (2, 300, 40, 3),
    (300, 2, 3, 40),
    (640, 480, 448, 448),
    (1001, 77, 3, 2),
]
AREAS = [(449, 448), (480, 448), (777, 448), (64, 32), (96, 32), (100, 33), (160, 32), (35, 35)]


def drawn(width, height, channels, hard):
    """Numbers of a linear congruential generator, or only black and white ones."""
    state, values = 12345, []
    for _ in range(width * height * channels):
        state = (state * 1103515245 + 12345) & 0x7FFFFFFF
        value = state >> 16 & 0xFF
        values.append((255 if value > 127 else 0) if hard else value)
    picture = numpy.array(values, numpy.uint8).reshape(height, width, channels)
    return picture[:, :, 0] if channels == 1 else picture


def digest(picture):
    return hashlib.sha256(numpy.ascontiguousarray(picture).tobytes()).hexdigest()


def main():
    assert PIL.__version__.startswith("12."), PIL.__version__
    cases, areas = [], []
    for width, height, to_width, to_height in SIZES:
        for hard in (False, True):
            for channels in (1, 3):
                picture = Image.fromarray(drawn(width, height, channels, hard))
                for name, kind in FILTERS.items():
                    small = numpy.asarray(picture.resize((to_width, to_height), kind))
                    cases.append([width, height, to_width, to_height, channels, hard, name, digest(small)])
    for side, to in AREAS:
        for hard in (False, True):
            small = cv2.resize(drawn(side, side, 3, hard), (to, to), interpolation=cv2.INTER_AREA)
            areas.append([side, to, hard, digest(small)])
    path = Path(__file__).parent / "resample" / "expected.json"
    lines = lambda rows: ",\n".join(json.dumps(row) for row in rows)
    path.write_text('{"pillow": [\n' + lines(cases) + '\n], "area": [\n' + lines(areas) + "\n]}\n")


if __name__ == "__main__":
    main()
