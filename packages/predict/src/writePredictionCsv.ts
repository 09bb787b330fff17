import { writeCsv } from "@emotion-service/core/files/manifest";
import type { Input, Prediction } from "@emotion-service/core/predict/scoreInput";

/**
 * Writes a row an input: path, emotion, confidence, prob_<class>…, anomaly_score, anomaly_flag (0 or 1). The fields of an
 * input that failed are empty, as are those of a model that was not given.
 */
export function writePredictionCsv(
  path: string,
  inputs: readonly Input[],
  predictions: readonly Prediction[],
  classes: readonly string[],
): void {
  const columns = [
    "path",
    "emotion",
    "confidence",
    ...classes.map((name) => `prob_${name}`),
    "anomaly_score",
    "anomaly_flag",
  ];
  const byPath = new Map(predictions.map((prediction) => [pathOf(prediction), prediction]));
  const rows = inputs.map((input): Record<string, string | number | undefined> => {
    const prediction = byPath.get(pathOf(input));
    const { emotion, confidence, emotion_probs, anomaly_score, anomaly_flag } = prediction ?? {};
    return {
      path: pathOf(input),
      emotion: emotion ?? undefined,
      confidence: confidence ?? undefined,
      ...Object.fromEntries(classes.map((name) => [`prob_${name}`, emotion_probs?.[name]])),
      anomaly_score: anomaly_score ?? undefined,
      anomaly_flag: typeof anomaly_flag === "boolean" ? Number(anomaly_flag) : undefined,
    };
  });
  writeCsv(path, columns, rows);
}

/** The name of an input's row: its video, else its picture, else its clip. */
function pathOf({ video, image, audio }: Input): string | undefined {
  return video ?? image ?? audio;
}
