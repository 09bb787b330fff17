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

type Emotion = (typeof EMOTIONS)[number];

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

/**
 * The canonical name of an emotion word, code or class id; undefined when it is none.
 * A digit (or a number from an HDF5 file) is the index into {@link EMOTIONS}, as in an aligned AffectNet tree.
 */
export function canonicalEmotion(word: string | number | bigint): string | undefined {
  const text = String(word).trim().toLowerCase();
  if (/^\d+$/.test(text)) return EMOTIONS[Number(text)];
  return ALIASES.get(text) ?? EMOTIONS.find((emotion) => emotion === text);
}

/** How `--labels` may read the label of a file: auto is the datasets' names, then the folders. */
export const LABEL_RULES = [
  "auto",
  "cremad",
  "ravdess",
  "emodb",
  "tess",
  "savee",
  "folder",
] as const;

export type LabelRule = (typeof LABEL_RULES)[number];

/** How the files of a published dataset are named. No name is of two datasets. */
interface Dataset {
  /** As `--labels` names it, and the first part of a speaker's name. */
  readonly name: Exclude<LabelRule, "auto" | "folder">;
  /**
   * Finds the name at the end of a path without extension, with the groups `speaker` and `emotion` (a code). Case counts
   * where the published name is so short that a chance name would fit it otherwise.
   */
  readonly pattern: RegExp;
  /** Every code of the dataset, lower case, and its label; a name with another code is not the dataset's. */
  readonly emotions: ReadonlyMap<string, Emotion | typeof UNKNOWN_LABEL>;
  /** Speakers that a published name misspells, and who they are. */
  readonly misspelt?: ReadonlyMap<string, string>;
  /** What the recordings of one utterance share, of the name; absent where each utterance is one recording. */
  readonly utteranceId?: (name: string) => string;
}

const DATASETS: readonly Dataset[] = [
  {
    // ACTOR_SENTENCE_EMOTION_LEVEL; a level is LO, MD, HI, XX or, in one published file, X.
    name: "cremad",
    pattern: /(?<=^|\/)(?<speaker>\d{4})_[A-Z]{3}_(?<emotion>[A-Z]{3})_(?:LO|MD|HI|XX|X)$/i,
    emotions: new Map([
      ["ang", "angry"],
      ["dis", "disgust"],
      ["fea", "fear"],
      ["hap", "happy"],
      ["neu", "neutral"],
      ["sad", "sad"],
    ]),
    utteranceId: (name) => name.toUpperCase(),
  },
  {
    // modality-channel-emotion-intensity-statement-repetition-actor, frames with a suffix _fNN.
    name: "ravdess",
    pattern:
      /(?<=^|\/)\d{2}-\d{2}-(?<emotion>\d{2})-\d{2}-\d{2}-\d{2}-(?<speaker>\d{2})(?:_f\d+)?$/,
    emotions: new Map([
      ["01", "neutral"],
      ["02", "calm"],
      ["03", "happy"],
      ["04", "sad"],
      ["05", "angry"],
      ["06", "fear"],
      ["07", "disgust"],
      ["08", "surprise"],
    ]),
    utteranceId: (name) => name.replace(/^\d{2}-/, "").replace(/_f\d+$/, ""),
  },
  {
    // 03a01Fa: speaker, text, German initial of the emotion, version. Case counts: 03a01fa may be part of a hash.
    name: "emodb",
    pattern: /(?<=^|\/)(?<speaker>\d{2})[ab]\d{2}(?<emotion>[A-Z])[a-z]$/,
    emotions: new Map([
      ["w", "angry"],
      ["l", UNKNOWN_LABEL], // boredom
      ["e", "disgust"],
      ["a", "fear"],
      ["f", "happy"],
      ["t", "sad"],
      ["n", "neutral"],
    ]),
  },
  {
    // OAF_back_angry: the older or the younger woman, word, emotion. One published name lacks the F.
    name: "tess",
    pattern: /(?<=^|\/)(?<speaker>OAF|YAF|OA(?=_bite_neutral$))_[a-z]+_(?<emotion>[a-z_]+)$/i,
    emotions: new Map([
      ["angry", "angry"],
      ["disgust", "disgust"],
      ["fear", "fear"],
      ["happy", "happy"],
      ["neutral", "neutral"],
      ["ps", "surprise"],
      ["pleasant_surprise", "surprise"],
      ["pleasant_surprised", "surprise"],
      ["sad", "sad"],
    ]),
    misspelt: new Map([["OA", "OAF"]]),
  },
  {
    // DC/a01, or DC_a01 where the folders were flattened: speaker, emotion, sentence. a01 alone says nothing.
    name: "savee",
    pattern: /(?<=^|\/)(?<speaker>DC|JE|JK|KL)[/_](?<emotion>[a-z]{1,2})\d{2}$/,
    emotions: new Map([
      ["a", "angry"],
      ["d", "disgust"],
      ["f", "fear"],
      ["h", "happy"],
      ["n", "neutral"],
      ["sa", "sad"],
      ["su", "surprise"],
    ]),
  },
];

/** What a file's name and folders say of it. */
export interface FileFacts {
  /** Canonical emotion, or {@link UNKNOWN_LABEL}. */
  readonly label: string;
  /** The speaker ("cremad:1001", "tess:OAF"), or undefined where the name does not tell. */
  readonly speaker: string | undefined;
}

/**
 * Reads the label and the speaker of a file from its relative path ("/" between folders). A dataset's name stands above
 * the folders, also where its emotion is none of ours (EMO-DB's boredom): that label is unknown, the speaker is not.
 */
export function factsOf(path: string, rule: LabelRule = "auto"): FileFacts {
  for (const dataset of DATASETS) {
    if (rule !== "auto" && rule !== dataset.name) continue;
    const named = readName(path, dataset);
    if (named !== undefined) return { label: named.label, speaker: named.speaker };
  }
  const label = rule === "auto" || rule === "folder" ? folderLabel(path) : undefined;
  return { label: label ?? UNKNOWN_LABEL, speaker: undefined };
}

/** What a dataset's name says: the name itself without extension, label and speaker; undefined for other names. */
function readName(path: string, { name, pattern, emotions, misspelt }: Dataset) {
  const match = pattern.exec(path.replace(/\.[^./]+$/, ""));
  const label = emotions.get(match?.groups?.["emotion"]?.toLowerCase() ?? "");
  const speaker = match?.groups?.["speaker"]?.toUpperCase();
  if (match === null || label === undefined || speaker === undefined) return undefined;
  return { name: match[0], label, speaker: `${name}:${misspelt?.get(speaker) ?? speaker}` };
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
  for (const dataset of DATASETS) {
    const named = readName(path, dataset);
    if (named !== undefined) return dataset.utteranceId?.(named.name);
  }
  return undefined;
}
