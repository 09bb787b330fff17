"""Writes packages/core/test/reference/fusion.json: what PyTorch and scikit-learn make of the numbers that our training makes.

    python scripts/reference/fusion.py        (needs numpy, scikit-learn and torch)

`fusion`: the classifier on a small batch, its weights and inputs made by `values`, which the test repeats. `eval_logits`: all
rows present, running statistics. `train`: rows without a modality, which PyTorch never shows to that encoder; dropout keeps
every unit and scales it. `adamw`, `cross_entropy`, `schedules`, `metrics`: each on its own.
"""

import json
from pathlib import Path

import numpy as np
import sklearn
import torch
from sklearn.metrics import accuracy_score, balanced_accuracy_score, confusion_matrix, f1_score, recall_score
from torch import nn

TARGET = Path(__file__).parents[2] / "packages/core/test/reference/fusion.json"
IMAGE, AUDIO, CLASSES, ROWS, WIDTH, STEPS = 7, 5, 4, 12, 256, 5
LEARNING_RATE, WEIGHT_DECAY, GRAD_CLIP, SMOOTHING = 1e-3, 0.01, 1.0, 0.1


def values(seed: int, shape: tuple, low: float, high: float) -> np.ndarray:
    """Numbers in [low, high) from a hash of 32-bit integers: the same in every language."""
    x = (np.arange(np.prod(shape), dtype=np.uint64) + 1 + 1_000_003 * seed) & 0xFFFFFFFF
    x = (x * 0x9E3779B1) & 0xFFFFFFFF
    x = ((x ^ (x >> 15)) * 0x85EBCA77) & 0xFFFFFFFF
    x = x ^ (x >> 13)
    return (low + (high - low) * (x.astype(np.float64) / 2**32)).reshape(shape).astype(np.float32)


class HashedDropout(nn.Module):
    """Dropout by the draws of packages/core/src/model/dropout.ts; `rows`: which of the batch it is shown."""

    def __init__(self, rate: float, seed: int):
        super().__init__()
        self.rate, self.seed, self.rows = rate, seed, torch.arange(ROWS)

    def forward(self, x):
        if not self.training:
            return x
        z = (np.arange(ROWS * x.shape[1], dtype=np.uint64) * 0x9E3779B1 + self.seed) & 0xFFFFFFFF
        z = ((z ^ (z >> 15)) * 0x85EBCA77) & 0xFFFFFFFF
        z = ((z ^ (z >> 13)) * 0xC2B2AE3D) & 0xFFFFFFFF
        z = (z ^ (z >> 16)).reshape(ROWS, x.shape[1])
        kept = torch.from_numpy(z >= int(self.rate * 2**32))
        return x * kept[self.rows] / (1 - self.rate)


def encoder(inputs: int, seed: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(inputs, 2 * WIDTH),
        nn.BatchNorm1d(2 * WIDTH),
        nn.ReLU(),
        HashedDropout(0.2, seed),
        nn.Linear(2 * WIDTH, WIDTH),
        nn.ReLU(),
    )


class Fusion(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoders = nn.ModuleDict({"image": encoder(IMAGE, 1), "audio": encoder(AUDIO, 2)})
        self.missing = nn.ParameterDict({name: nn.Parameter(torch.zeros(1, WIDTH)) for name in self.encoders})
        self.norm = nn.LayerNorm(2 * WIDTH)
        self.head = nn.Sequential(nn.Linear(2 * WIDTH, WIDTH), nn.ReLU(), HashedDropout(0.3, 3), nn.Linear(WIDTH, CLASSES))

    def forward(self, rows: dict, present: dict):
        parts = []
        for name, net in self.encoders.items():
            there = present[name]
            encoded = self.missing[name].expand(len(there), WIDTH).clone()
            net[3].rows = torch.nonzero(there).ravel()
            encoded[there] = net(rows[name][there])
            parts.append(encoded)
        return self.head(self.norm(torch.cat(parts, 1)))


def our_names(model: Fusion) -> dict:
    """Our name of each parameter and buffer -> PyTorch's tensor, in the order in which the test seeds them."""
    named = {}
    for name, net in model.encoders.items():
        ours = f"{name}_encoder"
        named |= {f"{ours}.dense1.kernel": net[0].weight, f"{ours}.dense1.bias": net[0].bias}
        named |= {f"{ours}.norm.gamma": net[1].weight, f"{ours}.norm.beta": net[1].bias}
        named |= {f"{ours}.norm.running_mean": net[1].running_mean, f"{ours}.norm.running_variance": net[1].running_var}
        named |= {f"{ours}.dense2.kernel": net[4].weight, f"{ours}.dense2.bias": net[4].bias}
        named |= {f"{ours}.missing": model.missing[name]}
    named |= {"fusion_norm.gamma": model.norm.weight, "fusion_norm.beta": model.norm.bias}
    named |= {"fusion.dense1.kernel": model.head[0].weight, "fusion.dense1.bias": model.head[0].bias}
    return named | {"fusion.dense2.kernel": model.head[3].weight, "fusion.dense2.bias": model.head[3].bias}


def as_ours(name: str, tensor: torch.Tensor) -> torch.Tensor:
    """PyTorch keeps a linear layer as [out, in], we as [in, out]."""
    return tensor.T if name.endswith(".kernel") else tensor


def start_weights(model: Fusion) -> None:
    with torch.no_grad():
        for seed, (name, tensor) in enumerate(our_names(model).items()):
            target = as_ours(name, tensor)
            if name.endswith((".gamma", ".running_variance")):
                low, high = 0.5, 1.5
            elif name.endswith(".kernel"):
                low, high = -1 / np.sqrt(target.shape[0]), 1 / np.sqrt(target.shape[0])
            else:
                low, high = -0.3, 0.3
            target.copy_(torch.from_numpy(values(seed, tuple(target.shape), low, high)))


def floats(tensor) -> list:
    return [float(f"{value:.9g}") for value in np.asarray(tensor.detach() if hasattr(tensor, "detach") else tensor, np.float64).ravel()]


def fusion_reference() -> dict:
    model = Fusion()
    start_weights(model)
    rows = {name: torch.from_numpy(values(seed, (ROWS, size), -2, 2)) for name, size, seed in (("image", IMAGE, 101), ("audio", AUDIO, 102))}
    everywhere = {name: torch.ones(ROWS, dtype=torch.bool) for name in rows}
    present = {"image": torch.arange(ROWS) % 4 != 1, "audio": torch.arange(ROWS) % 5 != 2}
    labels = torch.arange(ROWS) % CLASSES
    weight = torch.tensor([0.5, 1.0, 2.0, 0.25])
    model.eval()
    eval_logits = floats(model(rows, everywhere))
    model.train()
    criterion = nn.CrossEntropyLoss(weight=weight, label_smoothing=SMOOTHING)
    optimizer = torch.optim.AdamW(model.parameters(), LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    train: dict = {"losses": []}
    for step in range(STEPS):
        optimizer.zero_grad()
        logits = model(rows, present)
        loss = criterion(logits, labels)
        loss.backward()
        train["losses"].append(float(loss.detach()))
        named = our_names(model)
        if step == 0:
            train["logits"] = floats(logits)
            train["running"] = {k: floats(v[:8]) for k, v in named.items() if ".running_" in k}
            grads = {k: as_ours(k, v.grad) for k, v in named.items() if ".running_" not in k}
            train["gradients"] = {k: {"norm": float(g.norm()), "first": floats(g.ravel()[:6])} for k, g in grads.items()}
        nn.utils.clip_grad_norm_(model.parameters(), GRAD_CLIP)
        optimizer.step()
    return {
        "shape": {"image": IMAGE, "audio": AUDIO, "classes": CLASSES},
        "rows": ROWS,
        "labels": labels.tolist(),
        "class_weights": weight.tolist(),
        "label_smoothing": SMOOTHING,
        "lr": LEARNING_RATE,
        "weight_decay": WEIGHT_DECAY,
        "grad_clip": GRAD_CLIP,
        "present": {name: there.int().tolist() for name, there in present.items()},
        "eval_logits": eval_logits,
        "train": train,
    }


def adamw_reference() -> dict:
    """Gradients that fall, so that the first steps are clipped and the last are not."""
    parameters = [nn.Parameter(torch.from_numpy(values(i + 1, shape, -1, 1))) for i, shape in enumerate(((3,), (2, 4)))]
    optimizer = torch.optim.AdamW(parameters, 1, weight_decay=0.1)
    start, steps = [floats(p) for p in parameters], []
    for step in range(6):
        lr = 0.01 * (step + 1)
        optimizer.param_groups[0]["lr"] = lr
        for i, parameter in enumerate(parameters):
            size = 3 / 3**step
            parameter.grad = torch.from_numpy(values(10 * step + i + 20, tuple(parameter.shape), -size, size))
        gradients = [floats(p.grad) for p in parameters]
        norm = float(nn.utils.clip_grad_norm_(parameters, 1.0))
        optimizer.step()
        steps.append({"lr": lr, "gradients": gradients, "norm": norm, "parameters": [floats(p) for p in parameters]})
    return {"weight_decay": 0.1, "grad_clip": 1.0, "start": start, "steps": steps}


def cross_entropy_reference() -> dict:
    logits = values(7, (5, 4), -4, 4)
    labels = [0, 2, 2, 1, 0]
    cases = []
    for weight in ([1.0, 1.0, 1.0, 1.0], [0.2, 3.0, 1.5, 0.0]):
        for smoothing in (0.0, 0.1, 0.5):
            criterion = nn.CrossEntropyLoss(weight=torch.tensor(weight), label_smoothing=smoothing)
            loss = criterion(torch.from_numpy(logits), torch.tensor(labels))
            cases.append({"class_weights": weight, "label_smoothing": smoothing, "loss": float(loss)})
    return {"logits": floats(logits), "labels": labels, "cases": cases}


def schedules_reference() -> dict:
    def rates(make, lr: float) -> list:
        optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr)
        scheduler = make(optimizer)
        out = []
        for _ in range(30):
            out.append(optimizer.param_groups[0]["lr"])
            optimizer.step()
            scheduler.step() if len(out) < 30 else None
        return out

    schedulers = torch.optim.lr_scheduler
    return {
        "steps": 30,
        "lr": 0.002,
        "max_lr": 0.01,
        "onecycle": rates(lambda o: schedulers.OneCycleLR(o, 0.01, total_steps=30, cycle_momentum=False), 0.002),
        "cosine": rates(lambda o: schedulers.CosineAnnealingLR(o, 30), 0.002),
    }


def metrics_reference() -> list:
    rng = np.random.default_rng(5)
    truth = rng.integers(0, 4, 60)
    guess = np.where(rng.random(60) < 0.6, truth, rng.integers(0, 4, 60))
    absent = np.where(truth == 3, 0, truth)
    cases = {
        "every class occurs": (truth, guess),
        "a class occurs nowhere": (absent, np.where(guess == 3, 1, guess)),
        "a class occurs and is never predicted": (truth, np.where(guess == 2, 0, guess)),
        "a class is predicted and does not occur": (absent, guess),
    }
    return [
        {
            "name": name,
            "truth": y.tolist(),
            "predicted": p.tolist(),
            "accuracy": accuracy_score(y, p),
            "recall_macro": recall_score(y, p, average="macro", labels=np.unique(y)),
            "balanced_accuracy": balanced_accuracy_score(y, p),
            "f1_macro": f1_score(y, p, average="macro"),
            "confusion": confusion_matrix(y, p, labels=range(4)).tolist(),
        }
        for name, (y, p) in cases.items()
    ]


def main() -> None:
    reference = {
        "torch": torch.__version__.split("+")[0],
        "scikit_learn": sklearn.__version__,
        "fusion": fusion_reference(),
        "adamw": adamw_reference(),
        "cross_entropy": cross_entropy_reference(),
        "schedules": schedules_reference(),
        "metrics": metrics_reference(),
    }
    TARGET.write_text(json.dumps(reference) + "\n")


if __name__ == "__main__":
    main()
