import {
  EMOTIONS,
  UNKNOWN_LABEL,
  canonicalEmotion,
  factsOf,
  utteranceIdOf,
} from "@emotion-service/core/labels";
import fc from "fast-check";
import { describe, expect, it } from "vitest";

describe("an emotion's name", () => {
  it.each<[string | number | bigint, string]>([
    ...EMOTIONS.map((emotion): [string, string] => [emotion, emotion]),
    ...EMOTIONS.map((emotion, id): [number, string] => [id, emotion]),
    ["ANG", "angry"],
    ["anger", "angry"],
    ["Dis", "disgust"],
    ["disgusted", "disgust"],
    ["FEA", "fear"],
    ["fearful", "fear"],
    ["HAP", "happy"],
    ["Happiness", "happy"],
    ["NEU", "neutral"],
    ["SAD", "sad"],
    ["sadness", "sad"],
    ["surprised", "surprise"],
    [" happy ", "happy"],
    ["7", "surprise"],
    [3n, "fear"],
  ])("%s is %s", (word, emotion) => {
    expect(canonicalEmotion(word)).toBe(emotion);
  });

  it.each(["", "8", "-1", "1.5", "contempt", "sadly", "unknown", "constructor", "__proto__"])(
    "'%s' is none",
    (word) => {
      expect(canonicalEmotion(word)).toBeUndefined();
    },
  );

  it("is one of eight or nothing, whatever the word is", () => {
    const word = fc.oneof(
      fc.string(),
      fc.constantFrom(...Object.getOwnPropertyNames(Object.prototype)),
    );
    fc.assert(
      fc.property(word, (text) => {
        expect([...EMOTIONS, undefined]).toContain(canonicalEmotion(text));
      }),
    );
  });
});

describe("a file's label and speaker", () => {
  it.each([
    // CREMA-D
    ["1001_DFA_ANG_XX.wav", "angry", "cremad:1001"],
    ["1001_IEO_HAP_HI.flac", "happy", "cremad:1001"],
    ["1091_IEO_DIS_LO.wav", "disgust", "cremad:1091"],
    ["1040_ITH_SAD_X.wav", "sad", "cremad:1040"],
    ["deep/in/a/folder/1002_TIE_FEA_MD.WAV", "fear", "cremad:1002"],
    ["happy/1002_TIE_NEU_XX.wav", "neutral", "cremad:1002"],
    ["1001_DFA_CON_XX.wav", "unknown", undefined],
    ["1001_DFA_ANG.wav", "unknown", undefined],
    ["101_DFA_ANG_XX.wav", "unknown", undefined],
    // RAVDESS
    ["03-01-01-01-01-01-01.wav", "neutral", "ravdess:01"],
    ["03-01-02-01-01-01-02.wav", "calm", "ravdess:02"],
    ["03-01-03-02-01-01-24.wav", "happy", "ravdess:24"],
    ["03-01-04-02-01-01-24.wav", "sad", "ravdess:24"],
    ["Actor_05/03-01-05-01-02-01-05.wav", "angry", "ravdess:05"],
    ["03-02-06-01-02-01-05.wav", "fear", "ravdess:05"],
    ["03-01-07-01-02-02-05.wav", "disgust", "ravdess:05"],
    ["01-01-08-01-02-02-05.mp4", "surprise", "ravdess:05"],
    ["01-01-08-01-02-02-05_f12.jpg", "surprise", "ravdess:05"],
    ["03-01-09-01-01-01-01.wav", "unknown", undefined],
    ["03-01-01-01-01-01.wav", "unknown", undefined],
    // class folders: the whole name, the nearest one
    ["sad/clip.wav", "sad", undefined],
    ["train/Anger/a.jpg", "angry", undefined],
    ["happy/sad/a.jpg", "sad", undefined],
    ["sad/speaker7/take.2/a.jpg", "sad", undefined],
    ["4/a.jpg", "happy", undefined],
    ["8/a.jpg", "unknown", undefined],
    ["constructor/a.jpg", "unknown", undefined],
    // a part of a word is no label
    ["Crusade.wav", "unknown", undefined],
    ["sad.wav", "unknown", undefined],
    ["angry_001.jpg", "unknown", undefined],
    ["crusades/clip.wav", "unknown", undefined],
    ["my sad songs/clip.wav", "unknown", undefined],
  ])("%s: %s, %s", (path, label, speaker) => {
    expect(factsOf(path)).toEqual({ label, speaker });
  });

  it.each([
    ["cremad", "1001_DFA_ANG_XX.wav", "angry"],
    ["cremad", "03-01-05-01-02-01-05.wav", UNKNOWN_LABEL],
    ["cremad", "sad/clip.wav", UNKNOWN_LABEL],
    ["ravdess", "03-01-05-01-02-01-05.wav", "angry"],
    ["ravdess", "1001_DFA_ANG_XX.wav", UNKNOWN_LABEL],
    ["folder", "sad/1001_DFA_ANG_XX.wav", "sad"],
    ["folder", "1001_DFA_ANG_XX.wav", UNKNOWN_LABEL],
  ] as const)("by the rule %s, %s: %s", (rule, path, label) => {
    expect(factsOf(path, rule).label).toBe(label);
  });
});

it.each([
  ["a/03-01-05-01-02-01-05.wav", "01-05-01-02-01-05"],
  ["01-01-05-01-02-01-05_f03.jpg", "01-05-01-02-01-05"],
  ["1001_dfa_ang_xx.wav", "1001_DFA_ANG_XX"],
  ["clip.wav", undefined],
])("the utterance of %s is %s", (path, id) => {
  expect(utteranceIdOf(path)).toBe(id);
});
