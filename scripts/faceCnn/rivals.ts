/** What face_cnn is compared with: what the expression network of face-api tells itself, and logistic regression on its feature. */
import { EXPRESSION_FEATURE_DIM, FACE_MAPS } from "../../packages/core/src/face/faceExpression.ts";
import { readFaceWeights } from "../../packages/core/src/face/weights.ts";
import type { Tf } from "../../packages/core/src/model/backend.ts";
import type { FaceCnn } from "../../packages/core/src/model/faceCnn.ts";
import { createGraphBuilder, initialWeights } from "../../packages/core/src/model/graph.ts";
import { createNetwork } from "../../packages/core/src/model/network.ts";
import {
  type TrainSettings,
  trainClassifier,
} from "../../packages/core/src/model/trainClassifier.ts";
import { createRandom } from "../../packages/core/src/random.ts";
import type { RowsOfFold } from "../recipe.ts";
import { sourceOf } from "./fit.ts";
import type { Faces } from "./views.ts";

/** The expression network's own outputs, in its order. */
const EXPRESSIONS = ["neutral", "happy", "sad", "angry", "fear", "disgust", "surprise"];

/** The feature, which is the mean of the fourth block's maps over the places: the last channels. */
function featuresOf(maps: Float32Array): Float32Array {
  const { side, channels } = FACE_MAPS;
  const size = side * side * channels;
  const features = new Float32Array((maps.length / size) * EXPRESSION_FEATURE_DIM);
  for (let at = 0; at < maps.length; at += 1) {
    const channel = (at % channels) - (channels - EXPRESSION_FEATURE_DIM);
    if (channel < 0) continue;
    const to = Math.floor(at / size) * EXPRESSION_FEATURE_DIM + channel;
    features[to] = (features[to] ?? 0) + (maps[at] ?? 0) / side ** 2;
  }
  return features;
}

/** What the expression network scores the classes of these faces, the mean over the face and its mirror image, [rows, classes]. */
export function expressionScores({ maps, classes }: Faces, rows: readonly number[]): Float32Array {
  const weights = readFaceWeights("face_expression_model");
  const kernel = weights.get("fc.kernel")?.data ?? new Float32Array();
  const bias = weights.get("fc.bias")?.data ?? new Float32Array();
  return Float32Array.from(
    rows.flatMap((row) => {
      const [plain, mirror] = (maps[row] ?? []).slice(0, 2).map(featuresOf);
      return classes.map((name) => {
        const output = EXPRESSIONS.indexOf(name);
        let score = bias[output] ?? -Infinity;
        for (let i = 0; i < EXPRESSION_FEATURE_DIM; i += 1)
          score +=
            (((plain?.[i] ?? 0) + (mirror?.[i] ?? 0)) / 2) *
            (kernel[i * EXPRESSIONS.length + output] ?? 0);
        return score;
      });
    }),
  );
}

/** Logistic regression on the feature, trained as face_cnn is. */
export async function fitFeature(
  tf: Tf,
  faces: Faces,
  settings: TrainSettings,
  rows: RowsOfFold,
): Promise<Pick<FaceCnn, "scores" | "dispose">> {
  const net = createGraphBuilder();
  const feature = net.batchNorm("norm", net.input("feature", [null, EXPRESSION_FEATURE_DIM]));
  const graph = net.build(net.dense("classes", feature, faces.classes.length));
  const network = createNetwork(tf, graph, initialWeights(graph, createRandom(settings.seed)));
  const learner: Omit<FaceCnn, "augment"> = {
    trainable: network.trainable,
    weights: () => network.weights(),
    dispose: () => network.dispose(),
    scores: ({ rows: count, maps }, mode) => {
      const values = tf.tensor2d(featuresOf(maps), [count, EXPRESSION_FEATURE_DIM]);
      return network.forward({ feature: values }, mode) as ReturnType<FaceCnn["scores"]>;
    },
  };
  await trainClassifier(tf, learner, {
    settings,
    classes: faces.classes,
    train: sourceOf(faces, rows.isTrained),
    val: sourceOf(faces, rows.isWatched),
    onEpoch: () => {},
  });
  return learner;
}
