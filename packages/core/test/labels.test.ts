import {
  EMOTIONS,
  LABEL_RULES,
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
    // EMO-DB; boredom is none of our emotions, and a folder does not make it one
    ["03a01Wa.wav", "angry", "emodb:03"],
    ["wav/08b10Ec.wav", "disgust", "emodb:08"],
    ["16a04Aa.wav", "fear", "emodb:16"],
    ["03a01Fa.wav", "happy", "emodb:03"],
    ["11b03Td.WAV", "sad", "emodb:11"],
    ["03a01Nc.wav", "neutral", "emodb:03"],
    ["03a02La.wav", "unknown", "emodb:03"],
    ["sad/03a02La.wav", "unknown", "emodb:03"],
    ["03a01Xa.wav", "unknown", undefined],
    ["03c01Fa.wav", "unknown", undefined],
    ["03a01F.wav", "unknown", undefined],
    ["x03a01Fa.wav", "unknown", undefined],
    ["03a01fa.wav", "unknown", undefined], // as short hashes look
    ["03A01FA.wav", "unknown", undefined],
    // TESS; its names are long enough for case not to matter
    ["OAF_back_angry.wav", "angry", "tess:OAF"],
    ["YAF_bean_disgust.wav", "disgust", "tess:YAF"],
    ["OAF_Fear/OAF_back_fear.wav", "fear", "tess:OAF"],
    ["YAF_youth_happy.wav", "happy", "tess:YAF"],
    ["YAF_dog_neutral.wav", "neutral", "tess:YAF"],
    ["YAF_dog_ps.wav", "surprise", "tess:YAF"],
    ["OAF_dog_pleasant_surprise.wav", "surprise", "tess:OAF"],
    ["YAF_dog_pleasant_surprised.wav", "surprise", "tess:YAF"],
    ["OAF_sad_sad.wav", "sad", "tess:OAF"],
    ["oaf_back_ANGRY.wav", "angry", "tess:OAF"],
    ["OA_bite_neutral.wav", "neutral", "tess:OAF"],
    ["OA_bite_angry.wav", "unknown", undefined],
    ["OAF_back_angry_2.wav", "unknown", undefined],
    ["OAF_angry.wav", "unknown", undefined],
    ["OAF_back_bored.wav", "unknown", undefined],
    ["OAF_back_constructor.wav", "unknown", undefined],
    ["MAF_back_angry.wav", "unknown", undefined],
    ["OAF_Sad/clip.wav", "unknown", undefined],
    // SAVEE: by its folder, or flat; two letters are little to go by, so the case must be the published one
    ["DC/a01.wav", "angry", "savee:DC"],
    ["AudioData/JE/d02.wav", "disgust", "savee:JE"],
    ["JK/f15.wav", "fear", "savee:JK"],
    ["KL/h03.wav", "happy", "savee:KL"],
    ["DC/n30.wav", "neutral", "savee:DC"],
    ["DC/sa01.wav", "sad", "savee:DC"],
    ["DC/su01.wav", "surprise", "savee:DC"],
    ["ALL/DC_a01.wav", "angry", "savee:DC"],
    ["KL_su15.wav", "surprise", "savee:KL"],
    ["a01.wav", "unknown", undefined],
    ["XX/a01.wav", "unknown", undefined],
    ["XX_a01.wav", "unknown", undefined],
    ["DC/s01.wav", "unknown", undefined],
    ["DC/a001.wav", "unknown", undefined],
    ["DC/take1/a01.wav", "unknown", undefined],
    ["ADC/a01.wav", "unknown", undefined],
    ["dc/a01.wav", "unknown", undefined],
    ["dc_a01.wav", "unknown", undefined],
    ["DC/A01.wav", "unknown", undefined],
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
    ["sadness_of_x.wav", "unknown", undefined],
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
    ["emodb", "03a01Fa.wav", "happy"],
    ["emodb", "OAF_back_angry.wav", UNKNOWN_LABEL],
    ["tess", "OAF_back_angry.wav", "angry"],
    ["tess", "sad/clip.wav", UNKNOWN_LABEL],
    ["savee", "DC/a01.wav", "angry"],
    ["savee", "03a01Fa.wav", UNKNOWN_LABEL],
    ["folder", "sad/1001_DFA_ANG_XX.wav", "sad"],
    ["folder", "1001_DFA_ANG_XX.wav", UNKNOWN_LABEL],
  ] as const)("by the rule %s, %s: %s", (rule, path, label) => {
    expect(factsOf(path, rule).label).toBe(label);
  });

  /** The datasets that know a file by its name. */
  const datasetsOf = (path: string): string[] =>
    LABEL_RULES.filter((rule) => rule !== "auto" && factsOf(path, rule).speaker !== undefined);

  it.each([
    ["1001_DFA_ANG_XX.wav", "cremad"],
    ["1040_ITH_SAD_X.wav", "cremad"],
    ["DC/1001_DFA_ANG_XX.wav", "cremad"],
    ["03-01-05-01-02-01-05.wav", "ravdess"],
    ["JK/01-01-08-01-02-02-05_f12.jpg", "ravdess"],
    ["03a01Fa.wav", "emodb"],
    ["KL/03a01Fa.wav", "emodb"],
    ["OAF_back_angry.wav", "tess"],
    ["DC/OA_bite_neutral.wav", "tess"],
    ["DC/a01.wav", "savee"],
    ["DC_su01.wav", "savee"],
    ["03a01Fa/DC/a01.wav", "savee"],
  ])("%s is of one dataset, %s", (path, dataset) => {
    expect(datasetsOf(path)).toEqual([dataset]);
    expect(factsOf(path).speaker).toMatch(new RegExp(`^${dataset}:`));
  });

  it("is one of eight or unknown, and of one dataset at most, whatever the path is", () => {
    const part = fc.oneof(
      fc.constantFrom(...EMOTIONS, "DC", "JK", "OAF", "OA", "1001", "ANG", "XX", "03", "01"),
      fc.constantFrom("_", "-", "/", ".", "a01", "Fa", "bite", "back", "ps", "su", "03a01"),
      fc.constantFrom("1001_DFA_ANG_XX", "03-01-05-01-02-01-05", "03a01Fa", "OAF_back_sad"),
      fc.string({ maxLength: 3 }),
    );
    const path = fc.array(part, { maxLength: 12 }).map((parts) => parts.join(""));
    fc.assert(
      fc.property(path, (text) => {
        expect([...EMOTIONS, UNKNOWN_LABEL]).toContain(factsOf(text).label);
        expect(datasetsOf(text).length).toBeLessThanOrEqual(1);
      }),
    );
  });
});

it.each([
  ["a/03-01-05-01-02-01-05.wav", "01-05-01-02-01-05"],
  ["01-01-05-01-02-01-05_f03.jpg", "01-05-01-02-01-05"],
  ["deep/1001_dfa_ang_xx.wav", "1001_DFA_ANG_XX"],
  ["03-01-09-01-02-01-05.wav", undefined],
  ["03a01Fa.wav", undefined],
  ["OAF_back_angry.wav", undefined],
  ["DC/a01.wav", undefined],
  ["clip.wav", undefined],
])("the utterance of %s is %s", (path, id) => {
  expect(utteranceIdOf(path)).toBe(id);
});
