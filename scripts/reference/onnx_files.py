"""Small .onnx files of other exporters, which inspect-model reads, and what onnx says of their shapes.

    python scripts/reference/onnx_files.py

Writes packages/inspect/test/fixtures/: `dynamo.onnx`, `torchscript.onnx` (PyTorch's two exporters, a residual network),
`trees.onnx` (a forest of scikit-learn's as skl2onnx lays it out), `branches.onnx` (an If whose branches take a value from
around them, a weight in a Constant node), `external.onnx` (weights in a file beside), and `onnx_files.json`: the forest's size, the output shape of each node by onnx.shape_inference.
Made with torch 2.13, onnx 1.23, onnxscript 0.7, scikit-learn 1.9.
"""

import json
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from sklearn.ensemble import RandomForestClassifier

FOLDER = Path(__file__).parents[2] / "packages/inspect/test/fixtures"


class Residual(torch.nn.Module):
    """[B, 3, 16, 16] → [B, 5]"""

    def __init__(self):
        super().__init__()
        self.stem = torch.nn.Conv2d(3, 4, 3, stride=2, padding=1)
        self.block = torch.nn.Conv2d(4, 4, 3, padding=1)
        self.classes = torch.nn.Linear(4 * 4, 5)

    def forward(self, x):
        x = torch.relu(self.stem(x))
        x = torch.relu(self.block(x) + x)
        x = torch.nn.functional.max_pool2d(x, 4)
        return torch.softmax(self.classes(x.flatten(1)), 1)


def torch_files():
    model = Residual().eval()
    x = torch.zeros(2, 3, 16, 16)
    for name, dynamo in (("dynamo", True), ("torchscript", False)):
        path = FOLDER / f"{name}.onnx"
        names = {"input_names": ["picture"]}
        torch.onnx.export(model, (x,), path, dynamo=dynamo, external_data=False, **names)
        save(onnx.load(path), name)


def save(model, name):
    """Without what tells of the machine: stack traces, comments."""
    model.ClearField("doc_string")
    del model.graph.metadata_props[:]
    for node in model.graph.node:
        node.ClearField("doc_string")
        del node.metadata_props[:]
    for value in model.graph.value_info:
        del value.metadata_props[:]
    onnx.checker.check_model(model)
    onnx.save(model, FOLDER / f"{name}.onnx")


def trees():
    random = np.random.default_rng(0)
    x, y = random.normal(size=(60, 4)), random.integers(0, 3, 60)
    forest = RandomForestClassifier(3, max_depth=2, random_state=0).fit(x, y)
    keys = ["treeids", "nodeids", "featureids", "values", "modes", "truenodeids", "falsenodeids"]
    nodes = {f"nodes_{key}": [] for key in keys}
    leaves = {f"class_{key}": [] for key in ("treeids", "nodeids", "ids", "weights")}
    for number, estimator in enumerate(forest.estimators_):
        tree = estimator.tree_
        for node in range(tree.node_count):
            left, right = int(tree.children_left[node]), int(tree.children_right[node])
            is_leaf = left < 0
            row = [number, node, max(0, int(tree.feature[node])), float(tree.threshold[node])]
            row += ["LEAF", 0, 0] if is_leaf else ["BRANCH_LEQ", left, right]
            for key, value in zip(nodes, row, strict=True):
                nodes[key].append(value)
            for index, share in enumerate(tree.value[node][0] if is_leaf else []):
                for key, value in zip(leaves, [number, node, index, float(share) / 3], strict=True):
                    leaves[key].append(value)
    labels = {"classlabels_strings": ["angry", "happy", "sad"]}
    ml = {"domain": "ai.onnx.ml"}
    kind = "TreeEnsembleClassifier"
    graph = helper.make_graph(
        [
            helper.make_node(kind, ["X"], ["label", "shares"], **ml, **labels, **nodes, **leaves),
            helper.make_node("ZipMap", ["shares"], ["probabilities"], **ml, **labels),
        ],
        "forest",
        [helper.make_tensor_value_info("X", TensorProto.FLOAT, [None, 4])],
        [
            helper.make_tensor_value_info("label", TensorProto.STRING, [None]),
            helper.make_value_info(
                "probabilities",
                helper.make_sequence_type_proto(
                    helper.make_map_type_proto(
                        TensorProto.STRING, helper.make_tensor_type_proto(TensorProto.FLOAT, [])
                    )
                ),
            ),
        ],
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 3)]
    save(helper.make_model(graph, opset_imports=opsets), "trees")
    return {"trees": 3, "tree_nodes": len(nodes["nodes_nodeids"])}


def branches():
    value = helper.make_tensor_value_info
    weight = numpy_helper.from_array(np.ones((3, 2), np.float32), "weight")

    def branch(op):
        out = value(op, TensorProto.FLOAT, ["batch", 2])
        return helper.make_graph([helper.make_node(op, ["hidden"], [op])], op, [], [out])

    graph = helper.make_graph(
        [
            helper.make_node("Constant", [], ["kernel"], value=weight),
            helper.make_node("MatMul", ["x", "kernel"], ["hidden"], name="project"),
            helper.make_node(
                "If", ["flag"], ["y"], then_branch=branch("Relu"), else_branch=branch("Neg")
            ),
        ],
        "branches",
        [value("x", TensorProto.FLOAT, ["batch", 3]), value("flag", TensorProto.BOOL, [])],
        [value("y", TensorProto.FLOAT, ["batch", 2])],
    )
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]), "branches")


def external():
    """x · [4, 3] + [3], both constants in a file beside, which is not kept."""
    value = helper.make_tensor_value_info
    sizes = {"kernel": (4, 3), "bias": (3,)}
    graph = helper.make_graph(
        [helper.make_node("Gemm", ["x", "kernel", "bias"], ["y"])],
        "external",
        [value("x", TensorProto.FLOAT, ["batch", 4])],
        [value("y", TensorProto.FLOAT, ["batch", 3])],
        [numpy_helper.from_array(np.ones(size, np.float32), name) for name, size in sizes.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    data = {"save_as_external_data": True, "location": "weights.bin", "size_threshold": 0}
    onnx.save(model, FOLDER / "external.onnx", **data)
    (FOLDER / "weights.bin").unlink()


def shapes():
    """By file and node, the sizes of the first output; names of sizes as they are."""
    found = {}
    for name in ("dynamo", "torchscript"):
        model = onnx.load(FOLDER / f"{name}.onnx")
        del model.graph.value_info[:]
        inferred = onnx.shape_inference.infer_shapes(model, data_prop=True).graph
        known = {
            info.name: [size.dim_value for size in info.type.tensor_type.shape.dim]
            for info in [*inferred.value_info, *inferred.output]
        }
        nodes = [node for node in model.graph.node if node.op_type != "Constant"]
        found[name] = {node.name: known[node.output[0]] for node in nodes}
        onnx.save(model, FOLDER / f"{name}.onnx")  # its shapes are to be inferred here too
    return found


if __name__ == "__main__":
    torch.manual_seed(0)
    FOLDER.mkdir(exist_ok=True)
    torch_files()
    branches()
    external()
    facts = {"trees": trees(), "shapes": shapes()}
    (FOLDER / "onnx_files.json").write_text(json.dumps(facts, indent=2) + "\n")
