import { confusionMatrix } from "@emotion-service/core/plot/confusionMatrix";
import { learningCurves } from "@emotion-service/core/plot/learningCurves";
import { reliabilityDiagram } from "@emotion-service/core/plot/reliabilityDiagram";
import type { ChartSpec } from "@emotion-service/core/plot/render";
import { scoreBars } from "@emotion-service/core/plot/scoreBars";
import { CONDITION_NAMES, type WrittenReport, measuredSet } from "./report.ts";

/** A figure of the report. */
export interface Figure {
  /** Of its files, without .png or .svg. */
  readonly name: string;
  /** What it shows, for a reader who does not see it too. */
  readonly caption: string;
  readonly chart: ChartSpec;
}

export const FIGURES = [
  "confusion_matrix",
  "reliability_diagram",
  "learning_curves",
  "recall_curve",
  "conditions",
] as const;

/** The figures of a report, by {@link FIGURES}. */
export function figuresOf(report: WrittenReport): Figure[] {
  const charts: Record<(typeof FIGURES)[number], Omit<Figure, "name">> = {
    confusion_matrix: confusion(report),
    reliability_diagram: reliability(report),
    learning_curves: lossCurves(report),
    recall_curve: recallCurve(report),
    conditions: conditions(report),
  };
  return FIGURES.map((name) => ({ name, ...charts[name] }));
}

function confusion(report: WrittenReport): Omit<Figure, "name"> {
  const { name, metrics } = measuredSet(report);
  return {
    caption: `Confusion matrix of the ${name} rows: rows are true classes, columns predicted ones.`,
    chart: confusionMatrix(`Confusion on the ${name} rows`, report.classes, metrics.confusion),
  };
}

function reliability(report: WrittenReport): Omit<Figure, "name"> {
  const { name, calibration } = measuredSet(report);
  const { ece, nll, bins } = calibration;
  const panel = (when: "before" | "after") => ({
    name: `${when} scaling`,
    calibration: { ece: ece[when], nll: nll[when], bins: bins[when] },
  });
  return {
    caption: `Reliability of the ${name} rows' probabilities before and after temperature scaling: expected calibration error ${ece.before.toFixed(4)} and ${ece.after.toFixed(4)}.`,
    chart: reliabilityDiagram(`Reliability on the ${name} rows`, [panel("before"), panel("after")]),
  };
}

function lossCurves({ history, best_epoch: epoch }: WrittenReport): Omit<Figure, "name"> {
  return {
    caption: `Loss of the training rows (class-weighted) and of the validation rows by epoch; the best epoch is ${epoch}.`,
    chart: learningCurves(
      "Loss by epoch",
      "cross entropy, nats",
      [
        { name: "train", values: history.map(({ train_loss }) => train_loss) },
        { name: "validation", values: history.map(({ val_loss }) => val_loss) },
      ],
      { epoch, by: "validation macro recall" },
    ),
  };
}

function recallCurve({ history, best_epoch: epoch }: WrittenReport): Omit<Figure, "name"> {
  return {
    caption: `Accuracy and macro recall of the validation rows by epoch; the best epoch is ${epoch}.`,
    chart: learningCurves(
      "Validation rows by epoch",
      "share of the rows",
      [
        { name: "macro recall", values: history.map(({ val_uar }) => val_uar) },
        { name: "accuracy", values: history.map(({ val_accuracy }) => val_accuracy) },
      ],
      { epoch, by: "validation macro recall" },
    ),
  };
}

function conditions(report: WrittenReport): Omit<Figure, "name"> {
  const { name: set, metrics } = measuredSet(report);
  const { repeats } = report;
  const all = { [report.conditions["both"] ? "both" : "as it is"]: metrics, ...report.conditions };
  const bars = Object.entries(all).map(([name, { uar }]) => {
    const spread = repeats?.conditions[name] ?? (set === "test" ? repeats?.test : repeats?.val);
    return {
      name: CONDITION_NAMES[name] ?? name,
      value: spread?.uar.mean ?? uar,
      deviation: spread?.uar.deviation,
    };
  });
  const over = repeats && `mean and deviation over ${repeats.seeds.length} seeds`;
  return {
    caption: `Macro recall of the ${set} rows under each condition${over === null ? "" : `, ${over}`}.`,
    chart: scoreBars(
      `Conditions on the ${set} rows`,
      over === null ? "" : `${over}; `,
      "macro recall",
      bars,
      1 / report.classes.length,
    ),
  };
}
