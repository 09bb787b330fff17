"""Writes packages/core/test/fixtures/audio/ and packages/core/test/reference/log_mel.json: what librosa makes of small clips.

    python scripts/reference/log_mel.py        (needs numpy, soundfile, librosa 0.11)

`cases`: for each, the file, the settings, the number of frames, and the log-mel spectrogram's frames `kept`
[n_mels, len(kept)], float32 in base64: of a long one FRAMES_KEPT frames, spread over those that hold sound. The recipe is
the one that `packages/core/src/audio/logMel.ts` names. librosa refuses pad_mode "wrap" when it centres frames; there the
clip is padded by numpy first, as librosa does it for the other modes.
"""

import base64
import json
from pathlib import Path

import librosa
import numpy as np
import soundfile

ROOT = Path(__file__).parents[2] / "packages/core/test"
CLIPS = ROOT / "fixtures/audio"
TARGET = ROOT / "reference/log_mel.json"

FRAMES_KEPT = 28

SETTINGS = ("sr", "n_fft", "hop_length", "n_mels", "fixed_duration", "top_db", "pad_mode")
# A choice of the grid in which the values of every two settings meet about as often as 32 cases allow. The rate of a file
# stands in its name.
CASES = [
    # the defaults, and each end of a setting, at the file's own rate
    ("chirp_16000.wav", 16000, 1024, 512, 64, 3, 20, "constant"),
    ("chirp_16000.wav", 16000, 256, 64, 20, 1, 0, "reflect"),
    ("chirp_16000.wav", 16000, 256, 128, 128, 0, 60, "wrap"),  # more bands than bins: some are empty
    ("chirp_16000.wav", 16000, 400, 160, 40, 1, 60, "reflect"),
    ("chirp_16000.wav", 16000, 401, 400, 32, 0.5, 20, "constant"),
    ("chirp_16000.wav", 16000, 512, 256, 128, 0, 20, "constant"),
    ("chirp_16000.wav", 16000, 512, 160, 80, 10, 60, "reflect"),
    ("chirp_16000.wav", 16000, 551, 220, 96, 3, 0, "constant"),
    ("chirp_16000.wav", 16000, 1024, 300, 20, 0, 20, "wrap"),
    ("chirp_16000.wav", 16000, 2048, 512, 80, 0.5, 0, "reflect"),
    ("chirp_16000.wav", 16000, 2048, 256, 64, 10, 20, "constant"),
    ("chirp_16000.wav", 16000, 4096, 1024, 128, 3, 60, "wrap"),
    ("chirp_8000.wav", 8000, 256, 80, 40, 3, 20, "constant"),
    ("chirp_8000.wav", 8000, 400, 200, 64, 10, 0, "wrap"),
    ("chirp_8000.wav", 8000, 551, 256, 20, 1, 60, "constant"),
    ("chirp_8000.wav", 8000, 4096, 512, 96, 0, 20, "reflect"),
    ("stereo_44100.wav", 44100, 512, 128, 96, 1, 20, "reflect"),
    ("stereo_44100.wav", 44100, 1024, 441, 64, 0, 60, "constant"),
    ("stereo_44100.wav", 44100, 2048, 512, 128, 3, 0, "constant"),
    ("chirp_48000.wav", 48000, 1024, 480, 80, 10, 20, "reflect"),
    ("chirp_48000.wav", 48000, 4096, 1200, 40, 1, 0, "wrap"),
    # resampled
    ("chirp_48000.wav", 16000, 1024, 512, 64, 3, 20, "constant"),
    ("chirp_48000.wav", 16000, 256, 100, 40, 10, 60, "reflect"),
    ("chirp_48000.wav", 16000, 512, 256, 128, 0, 0, "constant"),
    ("chirp_48000.wav", 16000, 2048, 400, 20, 1, 20, "wrap"),
    ("stereo_44100.wav", 16000, 1024, 512, 64, 0.5, 20, "constant"),
    ("stereo_44100.wav", 16000, 400, 160, 80, 1, 0, "constant"),
    ("stereo_44100.wav", 16000, 551, 220, 128, 10, 20, "reflect"),
    ("chirp_8000.wav", 16000, 1024, 512, 64, 3, 20, "constant"),
    ("chirp_8000.wav", 16000, 4096, 512, 128, 1, 60, "reflect"),
    ("chirp_16000.wav", 22050, 1024, 441, 64, 0, 20, "constant"),
    ("chirp_16000.wav", 22050, 2048, 512, 128, 3, 0, "wrap"),
]


def make_clip(sr: int, seconds: float, seed: int) -> np.ndarray:
    """A chirp up to 45 % of the rate, and three bursts of noise, between stretches that are nearly silent."""
    rng = np.random.default_rng(seed)
    n = round(sr * seconds)
    t = np.arange(n) / sr
    sweep = np.sin(2 * np.pi * (80 * t + (0.45 * sr - 80) * t**2 / (2 * seconds)))
    loud = (t > 0.2 * seconds) & (t < 0.8 * seconds)
    bursts = np.zeros(n)
    for centre in (0.3, 0.5, 0.7):
        bursts += np.exp(-(((t / seconds - centre) / 0.02) ** 2))
    return 0.5 * loud * sweep + 0.2 * bursts * rng.standard_normal(n) + 1e-3 * rng.standard_normal(n)


def to_steps(samples: np.ndarray) -> np.ndarray:
    """16-bit whole numbers, so that WAV and FLAC hold the same samples."""
    return np.round(samples * 32767).astype(np.int16)


def write_clips() -> None:
    """WAV, and FLAC of a part of the first; of `short_last_frame.flac` the last frame has one sample, which some decoders drop."""
    CLIPS.mkdir(parents=True, exist_ok=True)
    mono = to_steps(make_clip(16000, 1.0, seed=1))
    stereo = np.stack([make_clip(44100, 0.4, seed=2), 0.6 * make_clip(44100, 0.4, seed=3)[::-1]], axis=1)
    soundfile.write(CLIPS / "chirp_16000.wav", mono, 16000)
    soundfile.write(CLIPS / "stereo_44100.wav", to_steps(stereo), 44100)
    soundfile.write(CLIPS / "chirp_8000.wav", to_steps(make_clip(8000, 3.6, seed=5)), 8000)
    soundfile.write(CLIPS / "chirp_48000.wav", to_steps(make_clip(48000, 0.4, seed=4)), 48000)
    soundfile.write(CLIPS / "chirp_16000.flac", mono[4000:9000], 16000)
    soundfile.write(CLIPS / "short_last_frame.flac", mono[4000:8097], 16000)


def log_mel(path: Path, c: dict) -> np.ndarray:
    y, _ = librosa.load(path, sr=c["sr"], mono=True)
    if c["top_db"] > 0:
        y, _ = librosa.effects.trim(y, top_db=c["top_db"])
    if c["fixed_duration"] > 0:
        n = round(c["fixed_duration"] * c["sr"])
        if len(y) > n:
            start = (len(y) - n) // 2
            y = y[start : start + n]
        else:
            left = (n - len(y)) // 2
            y = np.pad(y, (left, n - len(y) - left))
    peak = float(np.abs(y).max())
    if peak > 0:
        y = y / max(peak, 1e-8)
    center = c["pad_mode"] != "wrap"
    if not center:
        y = np.pad(y, c["n_fft"] // 2, mode="wrap")
    power = librosa.feature.melspectrogram(
        y=y,
        sr=c["sr"],
        n_fft=c["n_fft"],
        hop_length=c["hop_length"],
        n_mels=c["n_mels"],
        center=center,
        pad_mode=c["pad_mode"],
    )
    return librosa.power_to_db(power, ref=np.max).astype("<f4")


def spread(features: np.ndarray) -> list[int]:
    """FRAMES_KEPT frames, spread from before the first that holds sound to behind the last; all where there are fewer."""
    loud = np.flatnonzero(features.max(axis=0) > -79)
    first, last = max(0, loud[0] - 1), min(features.shape[1] - 1, loud[-1] + 1)
    return sorted({int(i) for i in np.linspace(first, last, FRAMES_KEPT).round()})


def main() -> None:
    write_clips()
    cases = []
    for file, *values in CASES:
        config = dict(zip(SETTINGS, values, strict=True))
        features = log_mel(CLIPS / file, config)
        kept = spread(features)
        cases.append(
            {
                "file": file,
                "config": config,
                "frames": features.shape[1],
                "kept": kept,
                "features": base64.b64encode(features[:, kept].tobytes()).decode(),
            }
        )
    reference = {"librosa": librosa.__version__, "cases": cases}
    TARGET.write_text(json.dumps(reference, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
