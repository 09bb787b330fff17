"""Writes packages/core/test/fixtures/onnx/wav2vec2*.onnx, small wav2vec2 networks of Hugging Face's transformers with random weights,
and wav2vec2.json beside them: what transformers makes of a clip with them, on PyTorch.

    python scripts/reference/wav2vec2.py        (needs numpy, onnx, onnxscript, torch and transformers)

wav2vec2.onnx takes clips of any length, as the published base model does; wav2vec2_masked.onnx takes 16,000 samples and an
attention mask, as models with layer norm in their first layers do. The clip is made by `values`, which the test repeats.
"""

import json
from pathlib import Path

import numpy as np
import onnx
import torch
import transformers
from transformers import Wav2Vec2Config, Wav2Vec2FeatureExtractor, Wav2Vec2Model

TARGET = Path(__file__).parents[2] / "packages/core/test/fixtures/onnx"
SAMPLES, FIXED = 12_345, 16_000
SIZES = dict(
    hidden_size=16,
    num_hidden_layers=1,
    num_attention_heads=2,
    intermediate_size=16,
    conv_dim=(8,) * 7,
    num_conv_pos_embeddings=4,
    num_conv_pos_embedding_groups=2,
)


def values(seed: int, count: int, low: float, high: float) -> np.ndarray:
    """Numbers in [low, high) from a hash of 32-bit integers: the same in every language."""
    x = (np.arange(count, dtype=np.uint64) + 1 + 1_000_003 * seed) & 0xFFFFFFFF
    x = (x * 0x9E3779B1) & 0xFFFFFFFF
    x = ((x ^ (x >> 15)) * 0x85EBCA77) & 0xFFFFFFFF
    x = x ^ (x >> 13)
    return (low + (high - low) * (x.astype(np.float64) / 2**32)).astype(np.float32)


class LastHiddenState(torch.nn.Module):
    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, input_values, attention_mask=None):
        return self.model(input_values, attention_mask=attention_mask).last_hidden_state


def export(model, name: str, inputs: dict, dynamic_shapes: dict) -> None:
    path = TARGET / name
    torch.onnx.export(
        LastHiddenState(model).eval(), (), path, kwargs=inputs, dynamo=True, external_data=False,
        input_names=list(inputs), output_names=["last_hidden_state"], dynamic_shapes=dynamic_shapes,
    )  # fmt: skip
    network = onnx.load(path)
    for part in [network, network.graph, *network.graph.node, *network.graph.value_info]:
        del part.metadata_props[:]  # where each node comes from, which is most of the file
        part.doc_string = ""
    del network.graph.value_info[:]
    onnx.save(network, path)


def main() -> None:
    TARGET.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(1)
    base = Wav2Vec2Model(Wav2Vec2Config(**SIZES)).eval()
    masked = Wav2Vec2Model(Wav2Vec2Config(**SIZES, feat_extract_norm="layer", conv_bias=True)).eval()
    samples = torch.export.Dim("samples")
    export(base, "wav2vec2.onnx", {"input_values": torch.zeros(1, FIXED)}, {"input_values": {1: samples}})
    both = {"input_values": torch.zeros(1, FIXED), "attention_mask": torch.ones(1, FIXED, dtype=torch.int64)}
    export(masked, "wav2vec2_masked.onnx", both, {name: {} for name in both})

    clip = values(1, SAMPLES, -0.1, 0.3)
    extractor = Wav2Vec2FeatureExtractor(do_normalize=True, return_attention_mask=True)
    alone = extractor(clip, sampling_rate=16_000, return_tensors="pt").input_values
    padded = extractor(clip, sampling_rate=16_000, return_tensors="pt", padding="max_length", max_length=FIXED)
    with torch.no_grad():
        raw = base(torch.from_numpy(clip)[None]).last_hidden_state[0]
        normalised = base(alone).last_hidden_state[0]
        held = masked(**padded).last_hidden_state[0]
        frames = int(masked._get_feat_extract_output_lengths(torch.tensor(SAMPLES)))
    reference = {
        "made_by": f"transformers {transformers.__version__}, torch {torch.__version__}",
        "samples": SAMPLES,
        "range": [-0.1, 0.3],
        "raw": raw.mean(0).tolist(),
        "normalised": normalised.mean(0).tolist(),
        "masked": held[:frames].mean(0).tolist(),
        "masked_frames": [frames, len(held)],
    }
    (TARGET / "wav2vec2.json").write_text(json.dumps(reference, indent=1) + "\n")


if __name__ == "__main__":
    main()
