import { calibrationOf } from "@emotion-service/core/metrics/calibration";
import type { ClassificationMetrics } from "@emotion-service/core/metrics/classification";
import type { Tf } from "@emotion-service/core/model/backend";
import type { LabelledBatch, RowSource } from "@emotion-service/core/model/rowSource";
import {
  type EvaluateOptions,
  type Evaluation,
  evaluate,
} from "@emotion-service/core/model/trainClassifier";
import type { Plan, Saved } from "./plan.ts";
import type { Measures, SetCalibration } from "./report.ts";

/** Measures a checkpoint on all sets and under all conditions. */
export async function measure<B extends LabelledBatch>(
  tf: Tf,
  plan: Plan<B>,
  { weights, temperature }: Pick<Saved, "weights" | "temperature">,
  seed: number,
  signal: AbortSignal | undefined,
): Promise<Measures> {
  const model = plan.create(tf, weights);
  const on = (set: RowSource<B>, how?: EvaluateOptions<B>): Promise<Evaluation> =>
    evaluate(tf, model, set, plan.classes, { ...how, signal });
  try {
    const train = await on(plan.train);
    const val = await on(plan.val);
    const test = plan.test && (await on(plan.test));
    const conditions: Record<string, ClassificationMetrics> = {};
    for (const [name, how] of Object.entries(plan.conditions(seed))) {
      const asItIs = Object.keys(how).length === 0; // measured already
      conditions[name] = (asItIs ? (test ?? val) : await on(plan.test ?? plan.val, how)).metrics;
    }
    const calibrated = (set: Evaluation): SetCalibration =>
      calibrationOfSet(set, plan.classes.length, temperature);
    return {
      train: train.metrics,
      val: val.metrics,
      test: test?.metrics ?? null,
      conditions,
      calibration: { temperature, val: calibrated(val), test: test ? calibrated(test) : null },
    };
  } finally {
    model.dispose();
  }
}

function calibrationOfSet(set: Evaluation, classes: number, temperature: number): SetCalibration {
  const [before, after] = [calibrationOf(set, classes), calibrationOf(set, classes, temperature)];
  return {
    ece: { before: before.ece, after: after.ece },
    nll: { before: before.nll, after: after.nll },
    bins: { before: before.bins, after: after.bins },
  };
}
