"""Writes packages/core/test/reference/pillow_resize.json: what Pillow's Image.resize(…, BILINEAR) makes of pictures.

    python scripts/reference/pillow_resize.py        (needs numpy and Pillow)

The pictures are made by `noise`, which the test repeats. Of each result the SHA-256 of its bytes is kept, and of the small ones
the bytes too.
"""

import base64
import hashlib
import json
from pathlib import Path

import numpy as np
import PIL
from PIL import Image

TARGET = Path(__file__).parents[2] / "packages/core/test/reference/pillow_resize.json"
# (width, height) from, to
SIZES = [
    ((3, 2), (7, 5)),
    ((7, 5), (3, 2)),
    ((1, 1), (4, 3)),
    ((5, 4), (5, 9)),
    ((5, 4), (9, 4)),
    ((5, 4), (5, 4)),
    ((13, 11), (1, 1)),
    ((11, 3), (4, 7)),
    ((48, 48), (224, 224)),
    ((47, 53), (224, 224)),
    ((640, 480), (224, 224)),
    ((225, 223), (224, 224)),
    ((331, 224), (224, 224)),
    ((1, 777), (224, 224)),
    ((2049, 1031), (224, 224)),
]
SMALL = 200  # bytes


def noise(width: int, height: int) -> np.ndarray:
    """Bytes from a hash of 32-bit integers: the same in every language."""
    x = (np.arange(height * width * 3, dtype=np.uint64) + 1) & 0xFFFFFFFF
    x = (x * 0x9E3779B1) & 0xFFFFFFFF
    x = ((x ^ (x >> 15)) * 0x85EBCA77) & 0xFFFFFFFF
    return (x >> 24).astype(np.uint8).reshape(height, width, 3)


def main() -> None:
    cases = []
    for size, to in SIZES:
        resized = Image.fromarray(noise(*size)).resize(to, Image.BILINEAR).tobytes()
        case = {"from": size, "to": to, "sha256": hashlib.sha256(resized).hexdigest()}
        cases.append(case | ({"base64": base64.b64encode(resized).decode()} if len(resized) <= SMALL else {}))
    TARGET.write_text(json.dumps({"pillow": PIL.__version__, "cases": cases}) + "\n")


if __name__ == "__main__":
    main()
