"""Writes packages/core/test/reference/frame_features.json: what librosa measures of the frames of small clips.

    python scripts/reference/frame_features.py        (needs numpy, soundfile, librosa 0.11; after log_mel.py)

`cases`: for each, the file, the settings, what trimming leaves of the file (first sample and the one after the last), the
number of frames and the features [rows, frames], float32 in base64, each by the call that
`packages/core/src/audio/frameFeatures.ts` names. The samples are the file's own, never resampled, taken to be at `sr`: what the
features depend on is that number alone. They are trimmed, fitted and normalised as in log_mel.py.
librosa refuses pad_mode "wrap" when it centres the frames of a spectrum; there the clip is padded by numpy first.

`mfcc`: of cases of log_mel.json, named by their place in it, from the log-mel that it holds.
"""

import base64
import json
from pathlib import Path

import librosa
import numpy as np
import soundfile

ROOT = Path(__file__).parents[2] / "packages/core/test"
CLIPS = ROOT / "fixtures/audio"
LOG_MEL = ROOT / "reference/log_mel.json"
TARGET = ROOT / "reference/frame_features.json"

CHIRP, STEREO = "chirp_16000.wav", "stereo_44100.wav"
CASES = [
    (CHIRP, {"sr": 16000, "n_fft": 1024, "hop_length": 512}),
    (CHIRP, {"sr": 16000, "n_fft": 400, "hop_length": 160, "pad_mode": "reflect"}),
    (CHIRP, {"sr": 22050, "n_fft": 512, "hop_length": 256, "top_db": 20}),
    (CHIRP, {"sr": 16000, "n_fft": 401, "hop_length": 300, "pad_mode": "wrap"}),
    (STEREO, {"sr": 44100, "n_fft": 1024, "hop_length": 441, "top_db": 60, "pad_mode": "reflect"}),
    (STEREO, {"sr": 44100, "n_fft": 2048, "hop_length": 512, "fixed_duration": 0.8}),
    # 2 % of the 125 bins from 800 to 1600 Hz are 2.5: numpy rounds them to the even 2.
    (CHIRP, {"sr": 16000, "n_fft": 2488, "hop_length": 1600}),
]
DEFAULTS = {"fixed_duration": 0, "top_db": 0, "pad_mode": "constant"}
MFCC_CASES = [1, 4]


def read_trimmed(path: Path, c: dict) -> tuple[np.ndarray, list[int]]:
    samples, _ = soundfile.read(path, dtype="float32", always_2d=True)
    y = librosa.to_mono(samples.T)
    if c["top_db"] == 0:
        return y, [0, len(y)]
    y, bounds = librosa.effects.trim(y, top_db=c["top_db"])
    return y, bounds.tolist()


def prepare(y: np.ndarray, c: dict) -> np.ndarray:
    if c["fixed_duration"] > 0:
        spare = round(c["fixed_duration"] * c["sr"]) - len(y)
        y = np.pad(y, (spare // 2, spare - spare // 2))
    return y / np.abs(y).max()


def measure(y: np.ndarray, c: dict) -> dict[str, np.ndarray]:
    hop = {"hop_length": c["hop_length"]}
    frames = {"frame_length": c["n_fft"], **hop}
    spectrum = {"n_fft": c["n_fft"], **hop, "pad_mode": c["pad_mode"]}
    padded = y
    if c["pad_mode"] == "wrap":
        padded = np.pad(y, c["n_fft"] // 2, mode="wrap")
        spectrum = {"n_fft": c["n_fft"], **hop, "center": False}
    of = {"y": padded, "sr": c["sr"], **spectrum}
    feature = librosa.feature
    power = np.abs(librosa.stft(padded, **spectrum)) ** 2
    return {
        "chroma": feature.chroma_stft(S=power, sr=c["sr"], n_fft=c["n_fft"], tuning=0.0),
        "rms": feature.rms(y=y, **frames, pad_mode=c["pad_mode"]),
        "zcr": feature.zero_crossing_rate(y, **frames),
        "spectralCentroid": feature.spectral_centroid(**of),
        "spectralBandwidth": feature.spectral_bandwidth(**of),
        "spectralRolloff": feature.spectral_rolloff(**of),
        "spectralFlatness": feature.spectral_flatness(y=padded, **spectrum),
        "spectralContrast": feature.spectral_contrast(**of),
    }


def encode(values: np.ndarray) -> str:
    return base64.b64encode(values.astype("<f4").tobytes()).decode()


def measured_case(file: str, changes: dict) -> dict:
    config = DEFAULTS | changes
    trimmed, bounds = read_trimmed(CLIPS / file, config)
    features = measure(prepare(trimmed, config), config)
    return {
        "file": file,
        "config": config,
        "trimmed": bounds,
        "frames": features["rms"].shape[1],
        "features": {name: encode(values) for name, values in features.items()},
    }


def mfcc_case(place: int) -> dict:
    case = json.loads(LOG_MEL.read_text())["cases"][place]
    log_mel = np.frombuffer(base64.b64decode(case["features"]), "<f4").reshape(-1, len(case["kept"]))
    return {"log_mel_case": place, "mfcc": encode(librosa.feature.mfcc(S=log_mel, n_mfcc=20))}


def main() -> None:
    reference = {
        "librosa": librosa.__version__,
        "cases": [measured_case(file, changes) for file, changes in CASES],
        "mfcc": [mfcc_case(place) for place in MFCC_CASES],
    }
    TARGET.write_text(json.dumps(reference, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
