"""Writes packages/core/test/reference/pillow_decode.json: small picture files, and what Image.open(…).convert("RGB") makes of them.

    python scripts/reference/pillow_decode.py        (needs numpy and Pillow)

Each file is kept whole, as base64, with the SHA-256 of its RGB bytes.
"""

import base64
import hashlib
import io
import json
import struct
import zlib
from pathlib import Path

import numpy as np
import PIL
from PIL import Image, ImageCms

TARGET = Path(__file__).parents[2] / "packages/core/test/reference/pillow_decode.json"
HEIGHT, WIDTH = 21, 19
SIDEWAYS = 6  # EXIF's "rotate by 90 degrees"


def picture(channels: int) -> np.ndarray:
    """Waves with noise: every kind of block that a JPEG has, in odd sizes."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    noise = np.random.default_rng(3).normal(0, 20, (HEIGHT, WIDTH, channels))
    waves = [127 + 90 * np.sin(x / 3 + i) + 50 * np.cos(y / (2 + i)) for i in range(channels)]
    return np.clip(np.stack(waves, -1) + noise, 0, 255).astype(np.uint8)


def saved(image: Image.Image, kind: str, **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def deep_png(channels: int, colour: int) -> bytes:
    """A PNG of 16 bits a value, which Pillow does not write."""
    values = np.random.default_rng(4).integers(0, 65536, (HEIGHT, WIDTH, channels)).astype(">u2")

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    rows = b"".join(b"\0" + row.tobytes() for row in values)
    header = struct.pack(">IIBBBBB", WIDTH, HEIGHT, 16, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def files() -> dict:
    rgb, grey = Image.fromarray(picture(3)), Image.fromarray(picture(1)[..., 0])
    exif = Image.Exif()
    exif[0x112] = SIDEWAYS
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("XYZ")).tobytes()
    palette = rgb.quantize(32)
    jpegs = {f"4:{s} JPEG": saved(rgb, "JPEG", quality=85, subsampling=f"4:{s}") for s in ("4:4", "2:2", "2:0")}
    return jpegs | {
        "progressive JPEG": saved(rgb, "JPEG", quality=70, progressive=True),
        "grey JPEG": saved(grey, "JPEG"),
        "CMYK JPEG": saved(rgb.convert("CMYK"), "JPEG"),
        "JPEG that EXIF turns": saved(rgb, "JPEG", exif=exif),
        "JPEG with a colour profile": saved(rgb, "JPEG", icc_profile=profile),
        "PNG": saved(rgb, "PNG"),
        "grey PNG": saved(grey, "PNG"),
        "one-bit PNG": saved(grey.point(lambda v: 255 * (v > 127)).convert("1"), "PNG"),
        "PNG with transparency": saved(Image.fromarray(picture(4)), "PNG"),
        "grey PNG with transparency": saved(Image.fromarray(picture(2)), "PNG"),
        "PNG with a palette": saved(palette, "PNG"),
        "PNG with a palette and a transparent colour": saved(palette, "PNG", transparency=3),
        "16-bit PNG": deep_png(3, 2),
        "16-bit PNG with transparency": deep_png(4, 6),
        "GIF": saved(palette, "GIF"),
        "WebP": saved(rgb, "WEBP", quality=80),
        "lossless WebP": saved(rgb, "WEBP", lossless=True),
        "TIFF": saved(rgb, "TIFF", compression="tiff_lzw"),
        "TIFF that is turned": saved(rgb, "TIFF", tiffinfo={0x112: SIDEWAYS}),
        "CMYK TIFF that is turned": saved(rgb.convert("CMYK"), "TIFF", tiffinfo={0x112: SIDEWAYS}),
        "16-bit grey PNG": deep_png(1, 0),
    }


def main() -> None:
    cases = []
    for name, data in files().items():
        image = Image.open(io.BytesIO(data))
        rgb = hashlib.sha256(image.convert("RGB").tobytes()).hexdigest()
        file = base64.b64encode(data).decode()
        cases.append({"name": name, "file": file, "width": image.width, "height": image.height, "sha256": rgb})
    TARGET.write_text(json.dumps({"pillow": PIL.__version__, "cases": cases}) + "\n")


if __name__ == "__main__":
    main()
