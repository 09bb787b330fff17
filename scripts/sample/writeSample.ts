import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { UserError } from "../../packages/core/src/errors.ts";
import { EMOTION_CODES, SAMPLE_EMOTIONS } from "./emotions.ts";
import { drawFace } from "./faces.ts";
import { SAMPLE_RATE_HZ, synthesizeSpeech } from "./speech.ts";
import { SENTENCE_NAMES } from "./voices.ts";
import { encodeWav } from "../../packages/core/src/audio/encodeWav.ts";

/** CREMA-D's first speaker number. */
const FIRST_SPEAKER = 1001;

export const SAMPLE_DEFAULTS = { speakers: 12, sentences: 2, facesPerClass: 40, seed: 7 } as const;

/**
 * Writes speech-like clips named as CREMA-D's, `1001_DFA_ANG_XX.wav`: one a speaker, sentence and emotion.
 * A clip depends on its name and the seed alone: three speakers give the first three of twelve.
 * @returns the names, relative to `folder`, in the order of speaker, sentence, emotion.
 * @throws UserError when the folder holds anything else.
 */
export function writeSpeechSample(
  folder: string,
  options: { readonly speakers?: number; readonly sentences?: number; readonly seed?: number } = {},
): string[] {
  const { speakers, sentences, seed } = { ...SAMPLE_DEFAULTS, ...options };
  const clips = SENTENCE_NAMES.slice(0, sentences).flatMap((sentence) =>
    SAMPLE_EMOTIONS.map((emotion) => ({ sentence, emotion })),
  );
  const files = Array.from({ length: speakers }, (_, i) => FIRST_SPEAKER + i).flatMap((speaker) =>
    clips.map((clip) => ({
      ...clip,
      speaker,
      name: `${speaker}_${clip.sentence}_${EMOTION_CODES[clip.emotion]}_XX.wav`,
    })),
  );
  makeFolder(
    folder,
    files.map(({ name }) => name),
  );
  for (const { name, speaker, sentence, emotion } of files) {
    const samples = synthesizeSpeech({ speaker, sentence, emotion, seed });
    writeFileSync(join(folder, name), encodeWav(samples, SAMPLE_RATE_HZ));
  }
  return files.map(({ name }) => name);
}

/**
 * Writes drawn faces as JPEG in class folders, `angry/angry_001.jpg`. A face depends on its name and the seed alone.
 * @returns the paths, relative to `folder`, in order.
 * @throws UserError when the folder holds anything else.
 */
export async function writeFaceSample(
  folder: string,
  options: { readonly facesPerClass?: number; readonly seed?: number } = {},
): Promise<string[]> {
  const { facesPerClass, seed } = { ...SAMPLE_DEFAULTS, ...options };
  const files = SAMPLE_EMOTIONS.flatMap((emotion) =>
    Array.from({ length: facesPerClass }, (_, i) => {
      const face = i + 1;
      return { emotion, face, name: `${emotion}/${emotion}_${String(face).padStart(3, "0")}.jpg` };
    }),
  );
  makeFolder(
    folder,
    files.map(({ name }) => name),
  );
  for (const { emotion, face, name } of files)
    writeFileSync(join(folder, name), await drawFace({ emotion, face, seed }));
  return files.map(({ name }) => name);
}

/** Makes the folders of `names`; a folder that holds other files is somebody's own, or of other settings: refused. */
function makeFolder(folder: string, names: readonly string[]): void {
  const folders = [folder, ...new Set(names.map((name) => join(folder, dirname(name))))];
  const ours = new Set([...folders, ...names.map((name) => join(folder, name))]);
  for (const each of folders.filter((path) => existsSync(path)))
    for (const entry of readdirSync(each))
      if (!ours.has(join(each, entry)))
        throw new UserError(
          "E_OUTPUT",
          `${folder}: must be empty or hold this sample, holds '${join(each, entry)}' too`,
          {
            hint: "name another folder, or remove this one",
          },
        );
  for (const each of folders) mkdirSync(each, { recursive: true });
}
