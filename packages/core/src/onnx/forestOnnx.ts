import type { AnomalyModel } from "../anomaly/modelFile.ts";
import { floatAtMost } from "../anomaly/scorer.ts";
import { TREE_LEAF, type Tree, averagePathLength, nodeDepths } from "../anomaly/tree.ts";
import { encoderToJson } from "../hdf5/encoder.ts";
import { CREATED_BY } from "../hdf5/format.ts";
import { metadataOf } from "./metadata.ts";
import { ML_DOMAIN, type OnnxNode } from "./model.ts";
import { writeOnnx } from "./writeModel.ts";

/**
 * A forest as the bytes of an .onnx file. Input `embeddings` f4 [batch, D]: the modalities side by side, a missing one filled
 * with its part of the metadata's `training_means`. Outputs f4 [batch, 1]: `score_samples` and `decision_function`, as
 * scikit-learn has them. The trees sum up the exponent of the score, so that a 32-bit sum stays near 1.
 */
export function exportForest(model: AnomalyModel): Uint8Array {
  const { forest } = model;
  const value = (name: string, columns: number) =>
    ({ name, type: "float32", dims: ["batch", columns] }) as const;
  const scalar = (name: string, number: number) => ({
    name,
    dims: [],
    data: Float32Array.of(number),
  });
  const node = (op: string, inputs: readonly string[], output: string): OnnxNode => ({
    op,
    inputs,
    output,
    attributes: {},
  });
  return writeOnnx({
    name: "isolation_forest",
    producer: CREATED_BY,
    inputs: [value("embeddings", forest.nFeatures)],
    outputs: [value("score_samples", 1), value("decision_function", 1)],
    nodes: [
      treeEnsemble(model, "embeddings", "exponent"),
      node("Pow", ["two", "exponent"], "anomaly_score"),
      node("Neg", ["anomaly_score"], "score_samples"),
      node("Sub", ["score_samples", "offset"], "decision_function"),
    ],
    constants: [scalar("two", 2), scalar("offset", forest.offset)],
    metadata: forestMetadata(model),
  });
}

/** -E[h(x)] / c(max_samples): the sum over the trees of what their leaves hold. */
function treeEnsemble({ forest }: AnomalyModel, input: string, output: string): OnnxNode {
  const nodes = forest.trees.flatMap((tree, id) => nodesOf(tree, id));
  const leaves = nodes.filter(({ isLeaf }) => isLeaf);
  const denominator = forest.trees.length * averagePathLength(forest.maxSamples);
  // One training row a tree leaves nothing to divide by; scikit-learn then takes the exponent as 1.
  const weightOf = (length: number): number =>
    denominator === 0 ? -1 / forest.trees.length : -length / denominator;
  return {
    op: "TreeEnsembleRegressor",
    domain: ML_DOMAIN,
    inputs: [input],
    output,
    attributes: {
      aggregate_function: { string: "SUM" },
      n_targets: { int: 1 },
      nodes_falsenodeids: { ints: nodes.map(({ right }) => right) },
      nodes_featureids: { ints: nodes.map(({ feature }) => feature) },
      nodes_modes: { strings: nodes.map(({ isLeaf }) => (isLeaf ? "LEAF" : "BRANCH_LEQ")) },
      nodes_nodeids: { ints: nodes.map(({ node }) => node) },
      nodes_treeids: { ints: nodes.map(({ tree }) => tree) },
      nodes_truenodeids: { ints: nodes.map(({ left }) => left) },
      nodes_values: { floats: nodes.map(({ threshold }) => threshold) },
      post_transform: { string: "NONE" },
      target_ids: { ints: leaves.map(() => 0) },
      target_nodeids: { ints: leaves.map(({ node }) => node) },
      target_treeids: { ints: leaves.map(({ tree }) => tree) },
      target_weights: { floats: leaves.map(({ length }) => weightOf(length)) },
    },
  };
}

/** The nodes of a tree, with the path length that each counts as a leaf; what does not apply is 0. */
function nodesOf(tree: Tree, id: number) {
  const depths = nodeDepths(tree);
  return Array.from(tree.left, (left, node) => {
    const isLeaf = left === TREE_LEAF;
    return {
      tree: id,
      node,
      isLeaf,
      feature: isLeaf ? 0 : tree.feature[node]!,
      threshold: isLeaf ? 0 : floatAtMost(tree.threshold[node]!),
      left: isLeaf ? 0 : left,
      right: isLeaf ? 0 : tree.right[node]!,
      length: depths[node]! + averagePathLength(tree.nNodeSamples[node]!),
    };
  });
}

function forestMetadata(model: AnomalyModel): Record<string, string> {
  const { forest, imageEncoder, audioEncoder } = model;
  const encoders = Object.entries({ image: imageEncoder, audio: audioEncoder }).flatMap(
    ([modality, encoder]) =>
      encoder === undefined ? [] : [[modality, JSON.stringify(encoderToJson(encoder))]],
  );
  return metadataOf("isolation_forest", {
    ...Object.fromEntries(encoders),
    contamination: String(forest.contamination),
    training_means: JSON.stringify(Array.from(model.means)),
  });
}
