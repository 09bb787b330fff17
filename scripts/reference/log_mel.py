"""Writes packages/core/test/fixtures/audio/ and packages/core/test/reference/log_mel.json: what librosa makes of small clips.

    python scripts/reference/log_mel.py        (needs numpy, soundfile, librosa 0.11)

`cases`: for each, the file, the settings and the log-mel spectrogram [n_mels, frames], float32 in base64. The recipe is
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

DEFAULTS = {
    "sr": 16000,
    "n_fft": 1024,
    "hop_length": 512,
    "n_mels": 64,
    "fixed_duration": 3,
    "top_db": 20,
    "pad_mode": "constant",
}
CASES = [
    ("chirp_16000.wav", {}),
    ("chirp_16000.wav", {"n_fft": 400, "hop_length": 160, "n_mels": 40, "fixed_duration": 1, "top_db": 60, "pad_mode": "reflect"}),
    ("chirp_16000.wav", {"n_fft": 512, "hop_length": 256, "n_mels": 128, "fixed_duration": 0}),
    ("chirp_16000.wav", {"n_fft": 2048, "n_mels": 80, "fixed_duration": 0.5, "top_db": 0, "pad_mode": "reflect"}),
    ("chirp_16000.wav", {"hop_length": 300, "n_mels": 20, "fixed_duration": 0, "pad_mode": "wrap"}),
    ("chirp_16000.wav", {"n_fft": 401, "hop_length": 400, "n_mels": 32, "fixed_duration": 0.5}),
    ("stereo_44100.wav", {"sr": 44100, "hop_length": 441, "fixed_duration": 0, "top_db": 60}),
    ("stereo_44100.wav", {"fixed_duration": 0.5}),
    ("chirp_48000.wav", {"hop_length": 256, "n_mels": 128, "fixed_duration": 0, "top_db": 0}),
    ("chirp_16000.wav", {"sr": 22050, "hop_length": 441, "fixed_duration": 0}),
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


def main() -> None:
    write_clips()
    cases = []
    for file, changes in CASES:
        config = DEFAULTS | changes
        features = log_mel(CLIPS / file, config)
        cases.append(
            {
                "file": file,
                "config": config,
                "frames": features.shape[1],
                "features": base64.b64encode(features.tobytes()).decode(),
            }
        )
    reference = {"librosa": librosa.__version__, "cases": cases}
    TARGET.write_text(json.dumps(reference, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
