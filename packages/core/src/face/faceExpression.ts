import { type Graph, VALID } from "../model/graph.ts";
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

/** Places along each side of the maps, and their channels: those of the last two blocks. */
export const FACE_MAPS = { side: 7, channels: 128 + 256 } as const;

/**
 * What the facial-expression network sees at each place of the face, before it takes the mean over places: aligned faces
 * [B, 112, 112, 3], 0 to 255 → [B, 7, 7, 384], the largest of 2 × 2 places of the third block beside the fourth block.
 */
export function faceMapsGraph(): Graph {
  const { net, blocks } = createFaceFeatureExtractor();
  const [third = "", fourth = ""] = blocks.slice(-2);
  const halved = net.maxPool2d("maps.pool", third, {
    size: [2, 2],
    strides: [2, 2],
    padding: VALID,
  });
  return net.build(net.concat("maps", [halved, fourth]));
}
