"""Writes packages/core/test/reference/resnet18.json: what PyTorch's ResNet-18 makes of two small pictures.

    python scripts/reference/resnet18.py        (needs numpy and torch)

The network is torchvision's, under its names; weights and pictures are made by `values`, which the test repeats, so that no
weights need keeping.
"""

import json
from pathlib import Path

import numpy as np
import torch
from torch import nn

TARGET = Path(__file__).parents[2] / "packages/core/test/reference/resnet18.json"
PICTURES, SIDE = 2, 64
MEAN, DEVIATION = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]


def values(seed: int, shape: tuple, low: float, high: float) -> np.ndarray:
    """Numbers in [low, high) from a hash of 32-bit integers: the same in every language."""
    x = (np.arange(np.prod(shape), dtype=np.uint64) + 1 + 1_000_003 * seed) & 0xFFFFFFFF
    x = (x * 0x9E3779B1) & 0xFFFFFFFF
    x = ((x ^ (x >> 15)) * 0x85EBCA77) & 0xFFFFFFFF
    x = x ^ (x >> 13)
    return (low + (high - low) * (x.astype(np.float64) / 2**32)).reshape(shape).astype(np.float32)


class BasicBlock(nn.Module):
    def __init__(self, inputs: int, outputs: int, stride: int):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        halves = [nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs)]
        self.downsample = nn.Sequential(*(halves if stride > 1 else []))

    def forward(self, x):
        inner = self.bn2(self.conv2(self.bn1(self.conv1(x)).relu()))
        return (inner + self.downsample(x)).relu()


class ResNet18(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        widths = [64, 64, 128, 256, 512]
        for stage in range(1, 5):
            first = BasicBlock(widths[stage - 1], widths[stage], 1 if stage == 1 else 2)
            setattr(self, f"layer{stage}", nn.Sequential(first, BasicBlock(widths[stage], widths[stage], 1)))

    def forward(self, x):
        x = self.maxpool(self.bn1(self.conv1(x)).relu())
        return self.layer4(self.layer3(self.layer2(self.layer1(x)))).mean((2, 3))


def range_of(name: str, tensor: torch.Tensor) -> tuple:
    if tensor.ndim == 4:
        bound = float(np.sqrt(3 / np.prod(tensor.shape[1:])))
        return -bound, bound
    return (0.5, 1.5) if name.endswith(("weight", "running_var")) else (-0.3, 0.3)


def main() -> None:
    model = ResNet18().eval()
    tensors = {}
    with torch.no_grad():
        named = {k: v for k, v in model.state_dict().items() if not k.endswith("num_batches_tracked")}
        for seed, (name, tensor) in enumerate(named.items()):
            shape, (low, high) = tuple(tensor.shape), range_of(name, tensor)
            tensor.copy_(torch.from_numpy(values(seed, shape, low, high)))
            tensors[name] = {"shape": shape, "low": low, "high": high}
        pixels = np.floor(values(1000, (PICTURES, SIDE, SIDE, 3), 0, 256))
        x = ((pixels / 255 - MEAN) / DEVIATION).transpose(0, 3, 1, 2).astype("f4")
        embeddings = model(torch.from_numpy(x))
    reference = {
        "torch": torch.__version__.split("+")[0],
        "pictures": PICTURES,
        "side": SIDE,
        "tensors": tensors,
        "embeddings": [[float(f"{value:.9g}") for value in row] for row in embeddings.double().numpy()],
    }
    TARGET.write_text(json.dumps(reference) + "\n")


if __name__ == "__main__":
    main()
