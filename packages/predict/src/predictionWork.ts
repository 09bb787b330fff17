import { existsSync } from "node:fs";
import { createHash } from "node:crypto";
import { join } from "node:path";
import type { OnProgress } from "@emotion-service/core/cli/progress";
import { throwIfAborted } from "@emotion-service/core/errors";
import { type JournalSettings, openJournal } from "@emotion-service/core/files/journal";
import { statOf } from "@emotion-service/core/files/listFiles";
import { keyOfFile } from "@emotion-service/core/files/unfinished";
import { encoderSettings } from "@emotion-service/core/hdf5/encoder";
import { CREATED_BY } from "@emotion-service/core/hdf5/format";
import { readWholeFile } from "@emotion-service/core/interop/wholeFile";
import { MODEL_FILES } from "@emotion-service/core/model/modelFolder";
import type { FailedInput, InputOptions } from "@emotion-service/core/predict/predictInput";
import type { Predictor, PredictorOptions } from "@emotion-service/core/predict/predictor";
import type { Input, Prediction } from "@emotion-service/core/predict/scoreInput";

/** What is told of an input, or why nothing is. */
export type Outcome = Prediction | FailedInput;

export interface WorkOptions extends PredictorOptions, InputOptions {
  readonly resume: boolean;
  readonly onProgress?: OnProgress;
}

/**
 * The work on many inputs. With an output, predictions go to a journal beside it, from which a run that was stopped is gone on with;
 * without one they stay in memory. Inputs that failed are tried again by the next run.
 */
export interface PredictionWork {
  /** Predicts on what no earlier run has finished. */
  run(): Promise<void>;
  /** Of every input, in their order, once all are done. */
  outcomes(): Iterable<Outcome>;
  /** Inputs that an earlier run had finished. */
  readonly resumed: number;
  /** Inputs that the next run need not look at. */
  countDone(): number;
  /** Closes the journal, which stays unless the whole work is done. Again it does nothing. */
  close(isDone: boolean): void;
}

/**
 * Begins the work, or goes on with it.
 * @throws UserError E_SETTINGS when it was begun with other models or flags, E_OUTPUT when the journal cannot be written
 */
export function beginWork(
  inputs: readonly Input[],
  predictor: Predictor,
  output: string | undefined,
  options: WorkOptions,
): PredictionWork {
  const keys = inputs.map(keyOfInput);
  const found = output === undefined ? heldInMemory() : keptInJournal(output, predictor, options);
  const failures = new Map<string, string>();
  const isDone = keys.map((key) => found.has(key));
  const resumed = isDone.filter(Boolean).length;
  return {
    resumed,
    run: async () => {
      let done = resumed;
      const report = (): void => options.onProgress?.(done, inputs.length, "inputs");
      report();
      for (const [i, input] of inputs.entries()) {
        const key = keys[i] ?? "";
        if (isDone[i] === true) continue;
        throwIfAborted(options.signal);
        const isKnown = found.has(key) || failures.has(key); // a manifest may name it twice
        const outcome = isKnown ? undefined : await predictOn(input, predictor, options);
        if (outcome !== undefined && "error" in outcome) failures.set(key, outcome.error);
        else if (outcome !== undefined) found.keep(key, outcome);
        done += 1;
        report();
      }
    },
    outcomes: function* outcomes() {
      for (const [i, input] of inputs.entries()) {
        const error = failures.get(keys[i] ?? "");
        yield error === undefined ? found.read(keys[i] ?? "") : { ...input, error };
      }
    },
    countDone: () => (output === undefined ? 0 : keys.filter((key) => found.has(key)).length),
    close: (isWhole) => found.close(isWhole),
  };
}

/** The cause of an input that is not there. */
export const NO_SUCH_FILE = "no such file";

/** Which files, and which content of theirs. */
function keyOfInput(input: Input): string {
  return JSON.stringify(
    Object.entries(input).map(([kind, path]: [string, string]) => [kind, keyOfFile(path)]),
  );
}

async function predictOn(
  input: Input,
  predictor: Predictor,
  options: InputOptions,
): Promise<Outcome> {
  const paths: string[] = Object.values(input);
  const missing = paths.find((path) => statOf(path)?.isDirectory() !== false);
  if (missing !== undefined) return { ...input, error: `${missing}: ${NO_SUCH_FILE}` };
  const isPicture = input.image !== undefined; // which has no time
  return predictor.predict(input, isPicture ? { ...options, window: undefined } : options);
}

/** The predictions so far, by the keys of their inputs. */
interface FoundPredictions {
  has(key: string): boolean;
  keep(key: string, prediction: Prediction): void;
  read(key: string): Prediction;
  close(isDone: boolean): void;
}

function heldInMemory(): FoundPredictions {
  const found = new Map<string, Prediction>();
  return {
    has: (key) => found.has(key),
    keep: (key, prediction) => found.set(key, prediction),
    read: (key) => found.get(key)!,
    close: () => {},
  };
}

const NO_NUMBERS = new Float32Array(0);

function keptInJournal(
  output: string,
  predictor: Predictor,
  options: WorkOptions,
): FoundPredictions {
  const settings = settingsOf(predictor, options);
  const journal = openJournal<Prediction>(output, settings, options.resume);
  return {
    has: (key) => journal.has(key),
    keep: (key, prediction) => journal.append(key, prediction, NO_NUMBERS),
    read: (key) => journal.read(key).facts,
    close: (isDone) => journal.close(isDone),
  };
}

/** All that a prediction depends on beside its input. */
function settingsOf({ models }: Predictor, options: WorkOptions): JournalSettings {
  const { multimodal, isolation, fps, top, window, step, minConfidence } = options;
  const flags = { fps, top, window, step, min_confidence: minConfidence };
  return {
    multimodal: multimodal === undefined ? "none" : hashOfModel(multimodal, "--multimodal"),
    isolation: isolation === undefined ? "none" : hashOfModel(isolation, "--isolation"),
    engine: models.classifier?.engine ?? "none",
    ...Object.fromEntries(
      Object.entries(models.encoders).flatMap(([modality, encoder]) =>
        Object.entries(encoderSettings(encoder)).map(([name, value]) => [
          `${modality}.${name}`,
          String(value),
        ]),
      ),
    ),
    ...Object.fromEntries(Object.entries(flags).map(([name, value]) => [name, value ?? "none"])),
    created_by: CREATED_BY,
  };
}

/** SHA-256 of a model's file, or of the files of its folder. */
function hashOfModel(path: string, flag: string): string {
  const isFolder = statOf(path)?.isDirectory() === true;
  const files = isFolder ? MODEL_FILES.map((name) => join(path, name)).filter(existsSync) : [path];
  const hash = createHash("sha256");
  for (const file of files) hash.update(readWholeFile(file, flag));
  return hash.digest("hex");
}
