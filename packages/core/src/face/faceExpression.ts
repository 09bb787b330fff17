import type { Graph } from "../model/graph.ts";
import { createFaceFeatureExtractor } from "./faceFeatureExtractor.ts";

/** Values of the feature. */
export const EXPRESSION_FEATURE_DIM = 256;

/**
 * The facial-expression network up to its bottleneck, the feature from which it tells the expression: aligned faces
 * [B, 112, 112, 3], 0 to 255 → [B, 256].
 */
export function faceExpressionGraph(): Graph {
  const { net, feature } = createFaceFeatureExtractor();
  return net.build(feature);
}
