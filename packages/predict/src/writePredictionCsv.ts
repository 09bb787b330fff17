import { writeCsv } from "@emotion-service/core/files/manifest";
import type { Prediction } from "./scoreInput.ts";

/** Writes a row an input: path, emotion, confidence, prob_<class>…, anomaly_score, anomaly_flag (0 or 1). */
export function writePredictionCsv(
  path: string,
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
  const rows = predictions.map((prediction): Record<string, string | number | undefined> => {
    const { video, image, audio, emotion, confidence, emotion_probs, anomaly_score } = prediction;
    return {
      path: video ?? image ?? audio,
      emotion: emotion ?? undefined,
      confidence: confidence ?? undefined,
      ...Object.fromEntries(classes.map((name) => [`prob_${name}`, emotion_probs?.[name]])),
      anomaly_score: anomaly_score ?? undefined,
      anomaly_flag: prediction.anomaly_flag === null ? undefined : Number(prediction.anomaly_flag),
    };
  });
  writeCsv(path, columns, rows);
}
