"""An epoch of the convolutional audio model with PyTorch, on made log-mel clips: what audioCnn.ts is timed against.

    python scripts/benchmark/audio_cnn.py [--rows 640] [--epochs 3]        (needs torch)

The same network as packages/core/src/model/audioCnn.ts on clips of one length, the same optimiser, batch and clipping.
Prints one JSON line: the median seconds of an epoch.
"""

import argparse
import json
import statistics
import time

import torch
from torch import nn


def block(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, padding=1, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(),
        nn.MaxPool2d(2),
    )


class AudioCnn(nn.Module):
    def __init__(self, mels: int, classes: int):
        super().__init__()
        self.blocks = nn.Sequential(block(1, 16), block(16, 32), block(32, 64), block(64, 128))
        self.embedding = nn.Linear(mels // 16 * 128, 128)
        self.dropout = nn.Dropout(0.3)
        self.classes = nn.Linear(128, classes)

    def forward(self, x):
        x = self.blocks(x[:, None])  # [B, 128, T / 16, mels / 16]
        x = x.mean(2).flatten(1)
        return self.classes(self.dropout(torch.relu(self.embedding(x))))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=640)
    parser.add_argument("--epochs", type=int, default=3)
    args = parser.parse_args()
    torch.manual_seed(1)
    frames, mels, classes, batch = 94, 64, 8, 64
    x = torch.randn(args.rows, frames, mels)
    y = torch.randint(classes, (args.rows,))
    net = AudioCnn(mels, classes)
    optimiser = torch.optim.AdamW(net.parameters(), 1e-3, weight_decay=1e-5)
    loss_of = nn.CrossEntropyLoss()
    seconds = []
    for _ in range(args.epochs):
        start = time.perf_counter()
        order = torch.randperm(args.rows)
        for i in range(0, args.rows, batch):
            rows = order[i : i + batch]
            optimiser.zero_grad()
            loss_of(net(x[rows]), y[rows]).backward()
            nn.utils.clip_grad_norm_(net.parameters(), 1.0)
            optimiser.step()
        seconds.append(time.perf_counter() - start)
    print(json.dumps({"rows": args.rows, "median_epoch_seconds": statistics.median(seconds)}))


if __name__ == "__main__":
    main()
