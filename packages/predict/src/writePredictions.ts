import { breathe } from "@emotion-service/core/breathe";
import { type CsvWriter, createCsvWriter } from "@emotion-service/core/files/manifest";
import { createTextWriter } from "@emotion-service/core/files/textWriter";
import { withoutNames } from "./failures.ts";
import type { Outcome } from "./predictionWork.ts";

/** Outcomes between two looks at what else goes on: Ctrl-C. */
const OUTCOMES_PER_LOOK = 256;

/**
 * Writes outcomes, of which a few are in memory at a time: a row each of a CSV file, a line of JSON each of another.
 * @param files where to, undefined for none
 * @param classes the columns prob_<class> of the CSV file
 */
export async function writePredictions(
  files: { readonly csv: string | undefined; readonly jsonl: string | undefined },
  outcomes: Iterable<Outcome>,
  classes: readonly string[],
  signal: AbortSignal | undefined,
): Promise<void> {
  const writers = [
    ...(files.csv === undefined ? [] : [csvWriter(files.csv, classes)]),
    ...(files.jsonl === undefined ? [] : [jsonLinesWriter(files.jsonl)]),
  ];
  try {
    let count = 0;
    for (const outcome of outcomes) {
      for (const writer of writers) writer.write(outcome);
      count += 1;
      if (count % OUTCOMES_PER_LOOK === 0) await breathe(signal);
    }
  } finally {
    for (const writer of writers) writer.close();
  }
}

interface OutcomeWriter {
  write(outcome: Outcome): void;
  close(): void;
}

/**
 * path, emotion, confidence, prob_<class>…, anomaly_score, anomaly_flag (0 or 1), error. The fields of an input that failed are empty,
 * as are those of a model that was not given.
 */
function csvWriter(path: string, classes: readonly string[]): OutcomeWriter {
  const writer: CsvWriter = createCsvWriter(path, [
    "path",
    "emotion",
    "confidence",
    ...classes.map((name) => `prob_${name}`),
    "anomaly_score",
    "anomaly_flag",
    "error",
  ]);
  return {
    write: (outcome) => {
      const name = outcome.video ?? outcome.image ?? outcome.audio ?? "";
      if ("error" in outcome) {
        const empty = Array.from({ length: classes.length + 4 }, () => "");
        writer.write([name, ...empty, withoutNames(outcome)]);
        return;
      }
      const { emotion, confidence, emotion_probs, anomaly_score, anomaly_flag } = outcome;
      writer.write([
        name,
        emotion ?? "",
        confidence ?? "",
        ...classes.map((each) => emotion_probs?.[each] ?? ""),
        anomaly_score ?? "",
        anomaly_flag === null ? "" : Number(anomaly_flag),
        "",
      ]);
    },
    close: () => writer.close(),
  };
}

function jsonLinesWriter(path: string): OutcomeWriter {
  const text = createTextWriter(path);
  return {
    write: (outcome) => text.write(`${JSON.stringify(outcome)}\n`),
    close: () => text.close(),
  };
}
