import { auroc } from "@emotion-service/core/metrics/auroc";
import type { Scored } from "./detector.ts";

/** How scores and flags agree with labels of 0 (normal) and 1 (anomaly). */
interface BinaryEvaluation {
  readonly labels: "binary";
  readonly positives: number;
  readonly negatives: number;
  /** In [0, 1]; 0.5 is chance. */
  readonly auroc: number;
  /** Of the flagged rows, the share labelled 1; null where none was flagged. */
  readonly precision: number | null;
  /** Of the rows labelled 1, the share that was flagged. */
  readonly recall: number;
}

/** Labels that cannot be evaluated against, and why. */
interface NoEvaluation {
  readonly labels: "not binary";
  readonly reason: string;
}

export type Evaluation = BinaryEvaluation | NoEvaluation;

/** Measures scores against labels as a file has them, if all are 0 or 1 and both occur. */
export function evaluate(labels: readonly string[], { scores, anomaly }: Scored): Evaluation {
  const values = [...new Set(labels.map((label) => label.trim()))].toSorted();
  const isBinary = values.every((value) => value !== "" && [0, 1].includes(Number(value)));
  if (!isBinary) return notBinary(`labels must be 0 or 1, are ${someOf(values)}`);
  const positive = labels.map((label) => Number(label));
  const positives = positive.reduce((sum, one) => sum + one, 0);
  const negatives = labels.length - positives;
  if (positives === 0 || negatives === 0)
    return notBinary(`both 0 and 1 must occur, all ${labels.length} labels are ${values[0]}`);
  const flagged = anomaly.reduce((sum, one) => sum + one, 0);
  const hits = positive.filter((one, row) => one === 1 && anomaly[row] === 1).length;
  return {
    labels: "binary",
    positives,
    negatives,
    auroc: auroc(scores, positive),
    precision: flagged === 0 ? null : hits / flagged,
    recall: hits / positives,
  };
}

function notBinary(reason: string): NoEvaluation {
  return { labels: "not binary", reason };
}

function someOf(values: readonly string[]): string {
  return `${values.slice(0, 4).join(", ")}${values.length > 4 ? ", …" : ""}`;
}
