import { type ModalityPart, joinModalities } from "../anomaly/modalities.ts";
import type { EncoderInfo } from "../hdf5/encoder.ts";
import { MODALITIES, type Modality } from "../model/fusion.ts";
import type { BatchPart } from "../model/rowSource.ts";
import type { Classifier } from "../onnx/loadClassifier.ts";
import { modalitiesOf } from "../anomaly/modelFile.ts";
import type { Embedded } from "./embedInput.ts";
import type { Detector, Models } from "./models.ts";

/** What is to be predicted on: a video, or a picture, a clip, or both of one person. */
export interface Input {
  readonly video?: string;
  readonly image?: string;
  readonly audio?: string;
}

/** What the models say. Emotion fields are null without a classifier, anomaly fields without a detector, all where nothing is there. */
export interface Score {
  /** The likeliest one; {@link UNCERTAIN} where its probability is below --min_confidence. */
  readonly emotion: string | null;
  /** The largest probability, [0, 1]. */
  readonly confidence: number | null;
  /** emotion → probability, the likeliest first */
  readonly emotion_probs: Readonly<Record<string, number>> | null;
  /** Higher is stranger; above 0 is an anomaly. */
  readonly anomaly_score: number | null;
  readonly anomaly_flag: boolean | null;
}

/** The emotion of an input of which the classifier is not sure. */
const UNCERTAIN = "uncertain";

/** What is told of a window of time. */
export interface TimelineEntry extends Score {
  /** Seconds from the beginning. */
  readonly start: number;
  readonly end: number;
  /** Whether a face was found in it, and sound that is not silent. */
  readonly face: boolean;
  readonly voice: boolean;
}

/** What is told of one input. */
export interface Prediction extends Input, Score {
  /** With --top: that many of the likeliest emotions. */
  readonly top?: readonly { readonly emotion: string; readonly probability: number }[];
  /** What ran the classifier. */
  readonly engine: string | null;
  /** Whether a face and a voice were there, and why not. */
  readonly modalities: Readonly<Record<Modality, ModalityFacts>>;
  /** What one should know to read the numbers. */
  readonly notes: readonly string[];
  /** With --window: the same of each window, in order. */
  readonly timeline?: readonly TimelineEntry[];
}

interface ModalityFacts {
  readonly present: boolean;
  readonly cause?: string;
  readonly [fact: string]: number | string | boolean | undefined;
}

export type Parts = Readonly<Record<Modality, Embedded>>;

/** What is told beside the score. */
interface ScoreOptions {
  readonly top: number | undefined;
  readonly minConfidence: number | undefined;
}

/** Runs the models on what an input, or a window of it, holds. */
export async function scoreParts(
  parts: Parts,
  { classifier, detector }: Pick<Models, "classifier" | "detector">,
  minConfidence = 0,
): Promise<Score> {
  const probabilities = classifier && (await classify(parts, classifier));
  const [emotion, confidence] = probabilities?.[0] ?? [null, null];
  const score = (detector && anomalyScore(parts, detector)) ?? null;
  return {
    emotion: confidence !== null && confidence < minConfidence ? UNCERTAIN : emotion,
    confidence,
    emotion_probs: probabilities === undefined ? null : Object.fromEntries(probabilities),
    anomaly_score: score,
    anomaly_flag: score === null ? null : score > 0,
  };
}

/** Runs the models on an input's embeddings, and says what one should know of them. */
export async function scoreInput(
  input: Input,
  parts: Parts,
  models: Models,
  { top, minConfidence }: ScoreOptions,
): Promise<Prediction> {
  const { classifier, detector, notes } = models;
  const { emotion, confidence, emotion_probs, ...anomaly } = await scoreParts(
    parts,
    models,
    minConfidence,
  );
  const likeliest = Object.entries(emotion_probs ?? {}).slice(0, top);
  return {
    ...input,
    emotion,
    confidence,
    emotion_probs,
    ...(top !== undefined &&
      emotion_probs !== null && {
        top: likeliest.map(([name, p]) => ({ emotion: name, probability: p })),
      }),
    ...anomaly,
    engine: classifier?.engine ?? null,
    modalities: { image: factsOf(parts.image), audio: factsOf(parts.audio) },
    notes: [
      ...notes,
      ...(detector === undefined ? [] : notesOnScore(parts, detector, anomaly.anomaly_score)),
      ...notesOn(parts, classifier, emotion),
    ],
  };
}

/** Emotions and their probabilities, the likeliest first; undefined when no modality that the classifier uses is there. */
async function classify(
  parts: Parts,
  classifier: Classifier,
): Promise<[string, number][] | undefined> {
  const { checkpoint } = classifier;
  const used = MODALITIES.filter((modality) => checkpoint.encoders[modality] !== undefined);
  if (used.every((modality) => parts[modality].embedding === undefined)) return undefined;
  const inputs: Partial<Record<Modality, BatchPart>> = {};
  for (const modality of used) {
    const { embedding } = parts[modality];
    const dim = checkpoint.encoders[modality]?.dim ?? 0;
    inputs[modality] = {
      values: embedding ?? new Float32Array(dim),
      present: Float32Array.of(embedding === undefined ? 0 : 1),
    };
  }
  const probabilities = await classifier.classify({ rows: 1, parts: inputs });
  return checkpoint.classes
    .map((name, k): [string, number] => [name, probabilities[k] ?? 0])
    .sort((a, b) => b[1] - a[1]);
}

function oneRow({ embedding }: Embedded, { dim }: EncoderInfo): ModalityPart {
  return {
    values: { data: embedding ?? new Float32Array(dim), rows: 1, columns: dim },
    present: Uint8Array.of(embedding === undefined ? 0 : 1),
  };
}

/**
 * -decision_function: higher is stranger; a missing modality is filled with the training mean. undefined when none that the
 * detector uses is there.
 */
function anomalyScore(parts: Parts, detector: Detector): number | undefined {
  const used = modalitiesOf(detector);
  if (used.every(([modality]) => parts[modality].embedding === undefined)) return undefined;
  const rows = used.map(([modality, encoder]) => oneRow(parts[modality], encoder));
  const { forest, scorer, means } = detector;
  return -((scorer.scoreSamples(joinModalities(rows, means))[0] ?? NaN) - forest.offset);
}

function factsOf(part: Embedded): ModalityFacts {
  return part.embedding === undefined
    ? { present: false, cause: part.cause }
    : { present: true, ...part.facts };
}

/** A file of scikit-learn keeps no means. */
function fillingOf({ means }: Detector): string {
  return means.some((mean) => mean !== 0) ? "the training mean" : "zeros";
}

function isCropped(facts: Readonly<Record<string, number>>): boolean {
  return (facts["used_seconds"] ?? 0) < (facts["duration_seconds"] ?? 0);
}

function notesOnScore(parts: Parts, detector: Detector, score: number | null): string[] {
  if (MODALITIES.every((modality) => parts[modality].embedding === undefined)) return [];
  if (score === null)
    return ["the anomaly detector was trained without what this input has: no score is told"];
  return modalitiesOf(detector)
    .filter(([modality]) => parts[modality].embedding === undefined)
    .map(
      ([modality]) => `the anomaly score fills the missing ${modality} with ${fillingOf(detector)}`,
    );
}

function notesOn(
  parts: Parts,
  classifier: Classifier | undefined,
  emotion: string | null,
): string[] {
  const notes: string[] = [];
  const { audio } = parts;
  if (audio.embedding !== undefined && isCropped(audio.facts))
    notes.push(
      `only the middle ${audio.facts["used_seconds"]} s of the ${audio.facts["duration_seconds"]?.toFixed(1)} s of sound are used, as the model was trained`,
    );
  const hasAny = MODALITIES.some((modality) => parts[modality].embedding !== undefined);
  if (classifier !== undefined && emotion === null && hasAny)
    notes.push("the classifier was trained without what this input has: no emotion is told");
  if (classifier?.checkpoint.matchBy === "label")
    notes.push(
      "the classifier was trained on pairs made by label: faces and voices of different people",
    );
  return notes;
}
