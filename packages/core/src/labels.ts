/** The emotions, in the one order used everywhere: class ids, columns, axes. */
export const EMOTIONS = [
  "angry",
  "calm",
  "disgust",
  "fear",
  "happy",
  "neutral",
  "sad",
  "surprise",
] as const;

/** The label of a row whose emotion is not known. */
export const UNKNOWN_LABEL = "unknown";

/** Other names for the same emotions, lower case. */
const ALIASES: ReadonlyMap<string, string> = new Map([
  ["anger", "angry"],
  ["ang", "angry"],
  ["dis", "disgust"],
  ["disgusted", "disgust"],
  ["fea", "fear"],
  ["fearful", "fear"],
  ["afraid", "fear"],
  ["hap", "happy"],
  ["happiness", "happy"],
  ["joy", "happy"],
  ["neu", "neutral"],
  ["sadness", "sad"],
  ["surprised", "surprise"],
]);

/** RAVDESS, field 3: 01 … 08. */
const RAVDESS_EMOTIONS = [
  "neutral",
  "calm",
  "happy",
  "sad",
  "angry",
  "fear",
  "disgust",
  "surprise",
] as const;

/** CREMA-D: ACTOR_SENTENCE_EMOTION_LEVEL; a level is LO, MD, HI, XX or, in one published file, X. */
const CREMAD_NAME = /^(\d{4})_[A-Z]{3}_(ANG|DIS|FEA|HAP|NEU|SAD)_(?:LO|MD|HI|XX|X)$/i;
/** RAVDESS: modality-channel-emotion-intensity-statement-repetition-actor, frames with a suffix `_fNN`. */
const RAVDESS_NAME = /^(\d{2})-(\d{2})-(0[1-8])-(\d{2})-(\d{2})-(\d{2})-(\d{2})(?:_f\d+)?$/;

/**
 * The canonical name of an emotion word, code or class id; undefined when it is none.
 * A digit (or a number from an HDF5 file) is the index into {@link EMOTIONS}, as in an aligned AffectNet tree.
 */
export function canonicalEmotion(word: string | number | bigint): string | undefined {
  const text = String(word).trim().toLowerCase();
  if (/^\d+$/.test(text)) return EMOTIONS[Number(text)];
  return ALIASES.get(text) ?? EMOTIONS.find((emotion) => emotion === text);
}

/** How `--labels` may read the label of a file. */
export type LabelRule = "auto" | "cremad" | "ravdess" | "folder";

/** What a file's name and folders say of it. */
export interface FileFacts {
  /** Canonical emotion, or {@link UNKNOWN_LABEL}. */
  readonly label: string;
  /** The speaker ("cremad:1001", "ravdess:01"), or undefined where the name does not tell. */
  readonly speaker: string | undefined;
}

/** Reads the label and the speaker of a file from its relative path ("/" between folders). */
export function factsOf(path: string, rule: LabelRule = "auto"): FileFacts {
  const stem = path.slice(path.lastIndexOf("/") + 1).replace(/\.[^.]+$/, "");
  if (rule === "auto" || rule === "cremad") {
    const [, actor, code = ""] = CREMAD_NAME.exec(stem) ?? [];
    if (actor !== undefined)
      return { label: canonicalEmotion(code) ?? UNKNOWN_LABEL, speaker: `cremad:${actor}` };
  }
  if (rule === "auto" || rule === "ravdess") {
    const fields = RAVDESS_NAME.exec(stem);
    if (fields !== null) {
      const label = RAVDESS_EMOTIONS[Number(fields[3]) - 1] ?? UNKNOWN_LABEL;
      return { label, speaker: `ravdess:${fields[7]}` };
    }
  }
  const label = rule === "auto" || rule === "folder" ? folderLabel(path) : undefined;
  return { label: label ?? UNKNOWN_LABEL, speaker: undefined };
}

/** The nearest folder whose whole name is an emotion. */
function folderLabel(path: string): string | undefined {
  const folders = path.split("/").slice(0, -1);
  for (const folder of folders.reverse()) {
    const emotion = canonicalEmotion(folder);
    if (emotion !== undefined) return emotion;
  }
  return undefined;
}

/**
 * What two recordings of one utterance share, for pairing by id: the RAVDESS name without its first field (the kind of
 * recording) and frame suffix, or the CREMA-D name; undefined for other names.
 */
export function utteranceIdOf(path: string): string | undefined {
  const stem = path.slice(path.lastIndexOf("/") + 1).replace(/\.[^.]+$/, "");
  if (CREMAD_NAME.test(stem)) return stem.toUpperCase();
  return RAVDESS_NAME.test(stem) ? stem.replace(/^\d{2}-/, "").replace(/_f\d+$/, "") : undefined;
}
