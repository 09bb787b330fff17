import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { temporaryFolder } from "../../../test/command.ts";
import { createLabelReader, unknownNote } from "../src/labelRule.ts";

/** The reader of a CSV with these lines below its header, and the notes without the file's name. */
function readerOf(lines: readonly string[], paths: readonly string[], header = "path,label") {
  const file = join(temporaryFolder(), "labels.csv");
  writeFileSync(file, [header, ...lines, ""].join("\n"));
  const { factsOf, notes } = createLabelReader(`csv:${file}`, paths);
  return { factsOf, notes: notes.map((note) => note.replace(`${file}: `, "")) };
}

describe("labels by a rule", () => {
  it.each([
    ["auto", "sad/clip.wav", "sad", undefined],
    ["auto", "sad/OAF_back_angry.wav", "angry", "tess:OAF"],
    ["emodb", "03a02La.wav", "unknown", "emodb:03"],
    ["tess", "YAF_dog_ps.wav", "surprise", "tess:YAF"],
    ["savee", "DC/a01.wav", "angry", "savee:DC"],
    ["folder", "sad/OAF_back_angry.wav", "sad", "tess:OAF"], // the speaker is the name's, whatever the rule
    ["cremad", "03-01-05-01-02-01-05.wav", "unknown", "ravdess:05"],
  ])("%s, %s: %s, %s", (rule, path, label, speaker) => {
    const { factsOf, notes } = createLabelReader(rule, [path]);
    expect(factsOf(path)).toEqual({ label, speaker });
    expect(notes).toEqual([]);
  });

  it("is refused when there is no such rule", () => {
    expect(() => createLabelReader("names", [])).toThrow(
      "--labels names: must be auto, cremad, ravdess, emodb, tess, savee, folder or csv:FILE",
    );
  });
});

describe("labels by a CSV", () => {
  it.each([
    ["a.wav,sad", "a.wav", "sad"],
    ["a.wav, Fearful ", "a.wav", "fear"],
    ["a.wav,3", "a.wav", "fear"], // a class id
    ["./a.wav,sad", "a.wav", "sad"],
    ["in\\a\\folder.wav,sad", "in/a/folder.wav", "sad"],
    ["cafe\u0301.wav,sad", "caf\u00e9.wav", "sad"],
    ["1001_DFA_ANG_XX.wav,sad", "1001_DFA_ANG_XX.wav", "sad"], // above the name
    ["happy/a.wav,bored", "happy/a.wav", "unknown"], // and above the folder
  ])("%s: %s is %s", (line, path, label) => {
    expect(readerOf([line], [path]).factsOf(path).label).toBe(label);
  });

  it.each([
    ["a.wav", "other/b.wav"],
    ["a", "a.wav"],
    ["clips/a.wav", "a.wav"],
    ["A.wav", "a.wav"],
  ])("the path %s does not name %s", (written, path) => {
    const { factsOf } = readerOf([`${written},sad`, "same.wav,sad"], [path, "same.wav"]);
    expect(factsOf(path).label).toBe("unknown");
  });

  it.each([
    ["1001_DFA_ANG_XX.wav,sad,mine", "mine"],
    ["1001_DFA_ANG_XX.wav,sad,", "cremad:1001"],
    ["1001_DFA_ANG_XX.wav,sad", "cremad:1001"],
  ])("%s: the speaker is %s", (line, speaker) => {
    const path = "1001_DFA_ANG_XX.wav";
    expect(readerOf([line], [path], "path,label,speaker").factsOf(path).speaker).toBe(speaker);
  });

  it.each<[string, string[], string[]]>([
    ["a CSV that fits says nothing", ["a.wav,sad", "b.wav,joy"], []],
    ["a row may stand twice", ["a.wav,sad", "b.wav,joy", "a.wav,SAD"], []],
    ["unknown says so itself", ["a.wav,unknown", "b.wav,"], []],
    [
      "paths that lead nowhere",
      ["a.wav,sad", "b.wav,sad", "x.wav,sad", "y.wav,sad"],
      ["2 of its 4 paths are no file of --audio_dir, such as 'x.wav'"],
    ],
    [
      "files without a row",
      ["b.wav,sad"],
      ["1 of the 2 files of --audio_dir is not in it, such as 'a.wav'"],
    ],
    [
      "a word that is no emotion",
      ["a.wav,bored", "b.wav,sadly"],
      [
        "'bored' (1 row), 'sadly' (1 row) are no emotion; known: angry, calm, disgust, fear, happy, neutral, sad, surprise",
      ],
    ],
    [
      "everything at once, the commonest word first, five words at most",
      ["b.wav,7", ..."uvwxyz".split("").map((word) => `${word}.wav,${word}`), "q.wav,z"],
      [
        "7 of its 8 paths are no file of --audio_dir, such as 'u.wav'",
        "'z' (2 rows), 'u' (1 row), 'v' (1 row), 'w' (1 row), 'x' (1 row), 1 more are no emotion; known: angry, calm, disgust, fear, happy, neutral, sad, surprise",
        "1 of the 2 files of --audio_dir is not in it, such as 'a.wav'",
      ],
    ],
  ])("notes: %s", (_, lines, notes) => {
    expect(readerOf(lines, ["a.wav", "b.wav"]).notes).toEqual(notes);
  });

  it.each<[string, string[], string]>([
    [
      "two labels for one path",
      ["a.wav,sad", "b.wav,sad", "./a.wav,Joy"],
      "labels.csv: 'a.wav' must have one label, has 'sad' in row 1 and 'Joy' in row 3",
    ],
    [
      "two speakers for one path",
      ["a.wav,sad,p1", "a.wav,sad,p2"],
      "labels.csv: 'a.wav' must have one speaker, has 'p1' in row 1 and 'p2' in row 2",
    ],
    ["no row", [], "labels.csv: must have a row for each file, has none"],
    [
      "no file of ours",
      ["clips/a.wav,sad"],
      "labels.csv: none of its 1 paths, such as 'clips/a.wav', is one of the 1 audio files, such as 'a.wav'",
    ],
  ])("refuses %s", (_, lines, message) => {
    expect(() => readerOf(lines, ["a.wav"], "path,label,speaker")).toThrow(message);
  });
});

describe("the note of files without a label", () => {
  const rows = [
    { path: "a.wav", label: "sad" },
    { path: "x.wav", label: "unknown" },
    { path: "y.wav", label: "unknown" },
  ];
  it.each([
    ["auto", "no emotion in the name of the file or its folders (--labels csv:FILE names them)"],
    ["folder", "no emotion in the names of its folders (--labels csv:FILE names them)"],
    ["tess", "no emotion in a file name of tess (--labels csv:FILE names them)"],
    ["csv:my/labels.csv", "no emotion in my/labels.csv"],
  ])("by the rule %s: %s", (rule, reason) => {
    expect(unknownNote(rows, rule)).toBe(`label unknown: 2 of 3 files, such as 'x.wav': ${reason}`);
  });

  it("is none when every file has a label", () => {
    expect(unknownNote(rows.slice(0, 1), "auto")).toBeUndefined();
  });
});
