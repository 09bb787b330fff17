import type { ClassificationMetrics } from "@emotion-service/core/metrics/classification";
import { type Measures, type Repeats, type Spread, type Spreads, measuredSet } from "./report.ts";

/** What the trainings of several seeds have in common, and how far they are apart. */
export function repeatsOf(
  runs: readonly {
    readonly seed: number;
    readonly bestEpoch: number;
    readonly measures: Measures;
  }[],
): Repeats {
  const all = runs.map(({ measures }) => measures);
  const spreads = (
    of: (measures: Measures) => ClassificationMetrics | null | undefined,
  ): Spreads => {
    const metrics = all.flatMap((measures) => of(measures) ?? []);
    return {
      accuracy: spreadOf(metrics.map(({ accuracy }) => accuracy)),
      uar: spreadOf(metrics.map(({ uar }) => uar)),
      macro_f1: spreadOf(metrics.map(({ macro_f1 }) => macro_f1)),
    };
  };
  const ece = all.map((measures) => measuredSet(measures).calibration.ece);
  return {
    seeds: runs.map(({ seed }) => seed),
    best_epochs: runs.map(({ bestEpoch }) => bestEpoch),
    val: spreads(({ val }) => val),
    test: all[0]?.test ? spreads(({ test }) => test) : null,
    conditions: Object.fromEntries(
      Object.keys(all[0]?.conditions ?? {}).map((name) => [
        name,
        spreads(({ conditions }) => conditions[name]),
      ]),
    ),
    ece: {
      before: spreadOf(ece.map(({ before }) => before)),
      after: spreadOf(ece.map(({ after }) => after)),
    },
  };
}

/** Mean and sample deviation (n - 1) of at least two values. */
export function spreadOf(values: readonly number[]): Spread {
  const mean = values.reduce((a, b) => a + b, 0) / values.length;
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return { mean, deviation: Math.sqrt(squares / (values.length - 1)), values };
}
