"""Writes small checkpoints of the Python service's classifier under packages/core/test/fixtures/fusion/, and oracle.json.

    python scripts/reference/python_fusion.py        (needs numpy and PyTorch 2; the committed ones are of 2.13)

Each is a dict with `model_state_dict` and `class_labels`, as the service's training saves it; `oracle.json` has rows and the
logits and probabilities that PyTorch gives for them, with both modalities, and with one of them as zeros.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import torch
from torch import nn

TARGET = Path(__file__).parents[2] / "packages/core/test/fixtures/fusion"
ROWS = 6
#: Values of the embeddings that `embed` makes of faces and of sound, which the tests of predict feed to a model.
FACE, AUDIO_STATS = 256, 496


class Fusion(nn.Module):
    """`first`: how many layers without weights stand before an encoder's linear layer."""

    def __init__(self, image: int, audio: int, classes: int, width: int, first: int):
        super().__init__()

        def encoder(inputs: int) -> nn.Sequential:
            layers = [nn.Linear(inputs, 2 * width), nn.BatchNorm1d(2 * width), nn.ReLU(), nn.Dropout(0.2), nn.Linear(2 * width, width), nn.ReLU()]
            return nn.Sequential(*[nn.Flatten() for _ in range(first)], *layers)

        self.image_encoder, self.audio_encoder = encoder(image), encoder(audio)
        self.fusion_norm = nn.LayerNorm(2 * width)
        self.fusion = nn.Sequential(nn.Linear(2 * width, width), nn.ReLU(), nn.Dropout(0.3), nn.Linear(width, classes))

    def forward(self, image, audio):
        return self.fusion(self.fusion_norm(torch.cat([self.image_encoder(image), self.audio_encoder(audio)], 1)))


def trained(image: int, audio: int, classes: int, width: int, first: int = 1) -> tuple[Fusion, torch.optim.Optimizer]:
    """A few steps, so that no weight and no statistic is as it started."""
    torch.manual_seed(0)
    model = Fusion(image, audio, classes, width, first)
    optimizer = torch.optim.AdamW(model.parameters(), 1e-2)
    for _ in range(5):
        logits = model(3 * torch.randn(16, image) + 1, 0.5 * torch.randn(16, audio) - 1)
        nn.functional.cross_entropy(logits, torch.randint(classes, (16,))).backward()
        optimizer.step()
        optimizer.zero_grad()
    return model.eval(), optimizer


def outputs(model: Fusion, image, audio) -> dict:
    with torch.inference_mode():
        logits = model(image, audio)
        return {"logits": logits.tolist(), "probabilities": logits.softmax(1).tolist()}


def on_cuda(save) -> None:
    """As saved on a machine with a GPU: each storage names its device."""
    kept = torch.serialization.location_tag
    torch.serialization.location_tag = lambda storage: "cuda:0"
    save()
    torch.serialization.location_tag = kept


def main() -> None:
    TARGET.mkdir(parents=True, exist_ok=True)
    names = ["angry", "disgust", "fear", "happy", "neutral", "sad"]
    oracle: dict = {"torch": torch.__version__.split("+")[0], "files": {}}

    def save(name: str, model: Fusion, contents: dict, **how) -> None:
        torch.save(contents, TARGET / name, **how)
        image, audio = model.image_encoder[-6].in_features, model.audio_encoder[-6].in_features
        generator = torch.Generator().manual_seed(1)
        rows = {"image": 2 * torch.randn(ROWS, image, generator=generator), "audio": torch.randn(ROWS, audio, generator=generator)}
        zeros = {key: torch.zeros_like(value) for key, value in rows.items()}
        oracle["files"][name] = {
            "classes": names[: model.fusion[3].out_features],
            "rows": {key: value.tolist() for key, value in rows.items()},
            "both": outputs(model, rows["image"], rows["audio"]),
            "image": outputs(model, rows["image"], zeros["audio"]),
            "audio": outputs(model, zeros["image"], rows["audio"]),
        }

    model, optimizer = trained(image=7, audio=5, classes=6, width=8)
    state = model.state_dict()
    save("multimodal_best.pth", model, {"model_state_dict": state, "class_labels": names})
    save("legacy.pth", model, {"model_state_dict": state, "class_labels": names}, _use_new_zipfile_serialization=False)
    whole = {
        "epoch": np.int64(4),
        "model_state_dict": {f"module.{key}": value for key, value in state.items()},
        "optimizer_state_dict": optimizer.state_dict(),
        "class_labels": {np.str_(name): np.int64(i) for i, name in enumerate(["ANG", "DIS", "FEA", "HAP", "NEU", "SAD"])},
        "best_val_acc": np.float64(0.5),
        "args": argparse.Namespace(lr=1e-3, device=torch.device("cuda"), train_h5="paired_train.h5"),
    }
    on_cuda(lambda: save("whole.pth", model, whole))
    save("array.pth", model, {"model_state_dict": state, "class_labels": np.array(names)})
    save("places.pth", model, {"model_state_dict": state, "class_labels": {i: np.str_(name) for i, name in enumerate(names)}})
    other, _ = trained(image=3, audio=20, classes=2, width=5, first=0)
    save("narrow.pth", other, {"model_state_dict": other.state_dict(), "class_labels": ("angry", "disgust")})

    face_and_voice, _ = trained(image=FACE, audio=AUDIO_STATS, classes=3, width=4)
    contents = {"model_state_dict": face_and_voice.state_dict(), "class_labels": names[:3]}
    torch.save(contents, TARGET / "face_audio_stats.pth")

    without = {"model_state_dict": state}
    torch.save(without, TARGET / "no_labels.pth")
    torch.save(without | {"class_labels": names[:3]}, TARGET / "few_labels.pth")
    torch.save({"model_state_dict": state | {"gate.weight": torch.ones(2, 2)}, "class_labels": names}, TARGET / "other_layer.pth")
    torch.save({"model_state_dict": {"fc.weight": torch.ones(2, 2)}, "class_labels": names}, TARGET / "other_model.pth")
    (TARGET / "oracle.json").write_text(json.dumps(oracle) + "\n")


if __name__ == "__main__":
    main()
