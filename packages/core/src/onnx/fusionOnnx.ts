import { encoderToJson } from "../hdf5/encoder.ts";
import { CREATED_BY } from "../hdf5/format.ts";
import type { Checkpoint } from "../model/checkpoint.ts";
import { type FusionShape, MODALITIES, fusionGraph } from "../model/fusion.ts";
import { hashOfWeights } from "../model/weightsHash.ts";
import { exportGraph } from "./exportGraph.ts";
import { classifierMetadata } from "./metadata.ts";

/** What of a checkpoint goes into the file. */
export type FusionFacts = Pick<
  Checkpoint,
  "classes" | "encoders" | "weights" | "matchBy" | "temperature"
>;

/**
 * A fusion classifier as an .onnx file. Inputs: `image_embeddings` [batch, Di] and `image_present` [batch, 1] (1 there, 0
 * missing), the same for audio; outputs: `probabilities` and `logits`, [batch, classes].
 */
export function exportFusion(shape: FusionShape, facts: FusionFacts): Uint8Array {
  const graph = fusionGraph(shape);
  return exportGraph(graph, facts.weights, {
    name: "fusion",
    outputs: [
      {
        name: "probabilities",
        layer: graph.output,
        softmax: { temperature: facts.temperature ?? 1 },
      },
      { name: "logits", layer: graph.output },
    ],
    metadata: fusionMetadata(shape, facts),
    createdBy: CREATED_BY,
  });
}

/** Texts by name; labels and encoders are JSON. */
export function fusionMetadata(
  shape: FusionShape,
  { encoders, weights, matchBy, ...facts }: FusionFacts,
): Record<string, string> {
  const encoderTexts = MODALITIES.flatMap((modality) => {
    const encoder = encoders[modality];
    return encoder === undefined ? [] : [[modality, JSON.stringify(encoderToJson(encoder))]];
  });
  const weightsSha256 = hashOfWeights(fusionGraph(shape), weights);
  return classifierMetadata(
    "fusion",
    { ...facts, weightsSha256 },
    { ...Object.fromEntries(encoderTexts), match_by: matchBy },
  );
}
