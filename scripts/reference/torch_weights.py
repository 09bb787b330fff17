"""Writes small weight files of every kind under packages/core/test/fixtures/torch/, and oracle.json with their values.

    python scripts/reference/torch_weights.py        (needs PyTorch 2)

Harmless ones: the same state dict in both formats of torch.save and in each pickle protocol that it can use, wrapped in a
checkpoint, with nn.DataParallel's prefix; a safetensors file, made by hand. Hostile ones: pickles that would run something,
refer to what is not known, contain themselves.
"""

import io
import json
import os
import pickle
import struct
import warnings
import zipfile
from pathlib import Path

import torch

TARGET = Path(__file__).parents[2] / "packages/core/test/fixtures/torch"
#: What a hostile pickle would make, were it run.
MARKER = "emotion-service-was-run"


def state_dict() -> dict:
    """Every dtype that is read, with the strange layouts: transposed, strided, with an offset, shared, expanded, empty, 0-d."""
    shared = torch.arange(12, dtype=torch.float32) / 8
    special = [0.0, -0.0, 1.0, -2.5, 65504.0, 6e-8, float("inf"), float("nan")]
    weights = torch.nn.Module().state_dict()  # has the attribute _metadata
    weights |= {
        "float32": torch.linspace(-1, 1, 6).reshape(2, 3),
        "float64": torch.tensor([1 / 3, 1e300, -1e-300], dtype=torch.float64),
        "float16": torch.tensor(special, dtype=torch.float16),
        "bfloat16": torch.tensor(special, dtype=torch.bfloat16),
        "int64": torch.tensor([-(2**40), 7], dtype=torch.int64),
        "int32": torch.tensor([-(2**30), 7], dtype=torch.int32),
        "int16": torch.tensor([-300, 300], dtype=torch.int16),
        "int8": torch.tensor([-128, 127], dtype=torch.int8),
        "uint8": torch.tensor([0, 255], dtype=torch.uint8),
        "bool": torch.tensor([True, False, True]),
        "num_batches_tracked": torch.tensor(1234),
        "empty": torch.zeros(0, 3),
        "transposed": torch.arange(6, dtype=torch.float32).reshape(2, 3).t(),
        "strided": torch.arange(24, dtype=torch.float32).reshape(2, 3, 4)[:, ::2, 1::2],
        "channels_last": torch.arange(24.0).reshape(1, 2, 3, 4).to(memory_format=torch.channels_last),
        "shared.all": shared,
        "shared.part": shared[4:8],
        "expanded": torch.tensor([3.0]).expand(2, 2),
        "parameter": torch.nn.Parameter(torch.tensor([0.5])),
        "__proto__": torch.tensor([9.0]),
    }
    return weights


def oracle(weights: dict) -> dict:
    """Values as float32; those that JSON has not, as text."""

    def number(value: float):
        return value if abs(value) < float("inf") else str(value)

    return {
        name: {
            "shape": list(tensor.shape),
            "data": [number(value) for value in tensor.detach().float().flatten().tolist()],
        }
        for name, tensor in weights.items()
    }


def safetensors(tensors: dict, metadata: dict) -> bytes:
    """The format by hand: the length of the header, the header, the data."""
    names = {torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16", torch.float64: "F64"}
    names |= {torch.int64: "I64", torch.uint8: "U8", torch.bool: "BOOL"}
    header, data = {"__metadata__": metadata}, b""
    for name, tensor in tensors.items():
        flat = tensor.detach().contiguous().flatten()
        content = bytes(flat.view(torch.uint8).tolist()) if flat.numel() else b""
        offsets = [len(data), len(data) + len(content)]
        header[name] = {"dtype": names[tensor.dtype], "shape": list(tensor.shape), "data_offsets": offsets}
        data += content
    text = json.dumps(header, separators=(",", ":")).encode()
    return struct.pack("<Q", len(text)) + text + data


class Runs:
    """Pickles as a call."""

    def __init__(self, function, *arguments):
        self.call = (function, arguments)

    def __reduce__(self):
        return self.call


#: Made so that its source is not found: the old format would keep it, with the path of this file.
Net = type("Net", (torch.nn.Module,), {"__module__": "__main__"})


def save(name: str, value, **options) -> None:
    """torch.save names the archive in a zip file after the file: through a buffer, it is the same everywhere."""
    buffer = io.BytesIO()
    torch.save(value, buffer, **options)
    (TARGET / name).write_bytes(buffer.getvalue())


def rewritten(name: str, change=lambda record, content: content, extra=(), compress_type=zipfile.ZIP_STORED) -> bytes:
    """The records of an archive in a new one, each as `change` returns it, and some more."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(TARGET / name) as old, zipfile.ZipFile(buffer, "w") as new:
        for record in old.namelist():
            new.writestr(zipfile.ZipInfo(record), change(record, old.read(record)), compress_type)
        for record in extra:
            new.writestr(zipfile.ZipInfo(record), b"")
    return buffer.getvalue()


def big_endian(record: str, content: bytes) -> bytes:
    """For an archive of float32 and int64, the latter 8 bytes long."""
    if record.endswith("/byteorder"):
        return b"big"
    if "/data/" not in record:
        return content
    width = 8 if len(content) == 8 else 4
    return b"".join(content[i : i + width][::-1] for i in range(0, len(content), width))


def main() -> None:
    warnings.simplefilter("ignore")
    torch.manual_seed(0)
    TARGET.mkdir(parents=True, exist_ok=True)
    for old in TARGET.iterdir():
        old.unlink()
    weights = state_dict()
    few = {name: weights[name] for name in ("float32", "transposed", "num_batches_tracked")}
    checkpoint = {
        "epoch": 7,
        "model_state_dict": few,
        "optimizer_state_dict": {"state": {0: {"step": torch.tensor(3.0)}}, "param_groups": [{"lr": 1e-3, "betas": (0.9, 0.999)}]},
        "class_labels": ["angry", "happy", "überrascht"],
        "best": None,
        "seed": 2**70,
        "dtype": torch.float32,
        "size": torch.Size([2, 3]),
        "device": torch.device("cpu"),
        "__proto__": {"polluted": True},
    }
    legacy = {"_use_new_zipfile_serialization": False}

    save("zip.pth", weights)
    save("legacy.pth", weights, **legacy)
    for protocol in (1, 3, 4, 5):
        save(f"zip_protocol{protocol}.pth", few, pickle_protocol=protocol)
    for protocol in (1, 4):
        save(f"legacy_protocol{protocol}.pth", few, pickle_protocol=protocol, **legacy)
    save("uint16.pth", {"w": torch.tensor([1, 65535], dtype=torch.uint16)})
    torch.serialization.set_crc32_options(False)
    save("no_check_sums.pth", weights)
    torch.serialization.set_crc32_options(True)
    (TARGET / "big_endian.pth").write_bytes(rewritten("zip_protocol3.pth", big_endian))
    save("checkpoint.pth", checkpoint)
    save("parallel.pth", {"state_dict": {f"module.{name}": tensor for name, tensor in few.items()}})
    chosen = ("float32", "float64", "float16", "bfloat16", "int64", "uint8", "bool", "num_batches_tracked", "empty", "transposed", "__proto__")
    (TARGET / "weights.safetensors").write_bytes(safetensors({name: weights[name] for name in chosen}, {"format": "pt"}))

    save("module.pth", Net())
    save("module_legacy.pth", Net(), **legacy)
    save("os_system.pth", Runs(os.system, f"touch {MARKER}"))
    save("os_system_legacy.pth", Runs(os.system, f"touch {MARKER}"), **legacy)
    save("eval.pth", {"w": Runs(eval, "1 + 1")})
    save("call.pth", {"w": Runs(pickle.loads, b"N.")})
    save("quantized.pth", {"w": torch.quantize_per_tensor(torch.ones(2), 0.1, 0, torch.qint8)})
    save("complex.pth", {"w": torch.ones(2, dtype=torch.complex64)})
    save("repeated.pth", {"w": torch.tensor([1.0]).expand(2**15, 2**15)})
    save("list.pth", [weights["float32"]])
    save("extra.pth", few | {"note": "a text"})
    (TARGET / "compressed.pth").write_bytes(rewritten("zip_protocol3.pth", compress_type=zipfile.ZIP_DEFLATED))
    (TARGET / "torchscript.pt").write_bytes(rewritten("zip_protocol3.pth", extra=["archive/constants.pkl"], compress_type=zipfile.ZIP_DEFLATED))
    cycle: list = []
    cycle.append({"self": cycle})
    save("cycle.pth", {"w": cycle})
    (TARGET / "plain.pickle").write_bytes(pickle.dumps({"w": [1.0]}, protocol=2))

    sample = {
        "torch": torch.__version__,
        "marker": MARKER,
        "weights": oracle(weights),
        "safetensors": list(chosen),
        "few": list(few),
    }
    (TARGET / "oracle.json").write_text(json.dumps(sample) + "\n")


if __name__ == "__main__":
    main()
