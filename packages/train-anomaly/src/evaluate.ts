import { eachText } from "@emotion-service/core/hdf5/pairedIndex";
import { auroc } from "@emotion-service/core/metrics/auroc";
import { type Scored, valuesAt } from "./detector.ts";
import type { Source } from "./rows.ts";

/** How scores and flags agree with labels of 0 (normal) and 1 (anomaly), over the rows that have a score. */
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

/** Labels as a file has them: which there are, and what each row's says as a number, NaN where it is none, [N]. */
interface RawLabels {
  readonly values: readonly string[];
  readonly numbers: Float32Array;
}

/** Values that a message can need, and some more. */
const VALUES_KEPT = 64;

/** Measures scores against the labels of their file, if all are 0 or 1 and both occur. */
export async function evaluate(
  { index, scorable }: Source,
  scored: Scored,
  signal: AbortSignal | undefined,
): Promise<Evaluation> {
  const values = new Set<string>();
  const numbers = new Float32Array(index.rows);
  const visit = (text: string, row: number): void => {
    const label = text.trim();
    if (values.size < VALUES_KEPT) values.add(label);
    numbers[row] = label === "" ? NaN : Number(label);
  };
  await eachText(index, "labels", visit, signal);
  return compare({ values: [...values].toSorted(), numbers }, scorable, scored);
}

function compare({ values, numbers }: RawLabels, rows: Int32Array, scored: Scored): Evaluation {
  if (!numbers.every((value) => value === 0 || value === 1))
    return notBinary(`labels must be 0 or 1, are ${someOf(values)}`);
  const positive = new Uint8Array(rows.length);
  let [positives, flags, hits] = [0, 0, 0];
  for (let i = 0; i < rows.length; i += 1) {
    const [label, flag] = [numbers[rows[i]!]!, scored.anomaly[rows[i]!]!];
    positive[i] = label;
    positives += label;
    flags += flag;
    hits += label * flag;
  }
  const negatives = rows.length - positives;
  if (positives === 0 || negatives === 0)
    return notBinary(`both 0 and 1 must occur, all ${rows.length} labels are ${values[0]}`);
  return {
    labels: "binary",
    positives,
    negatives,
    auroc: auroc(valuesAt(scored.scores, rows), positive),
    precision: flags === 0 ? null : hits / flags,
    recall: hits / positives,
  };
}

function notBinary(reason: string): NoEvaluation {
  return { labels: "not binary", reason };
}

function someOf(values: readonly string[]): string {
  return `${values.slice(0, 4).join(", ")}${values.length > 4 ? ", …" : ""}`;
}
