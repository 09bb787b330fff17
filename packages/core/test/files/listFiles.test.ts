import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import {
  extensionOf,
  listFiles,
  requireFile,
  requireFolder,
  stemOf,
} from "@emotion-service/core/files/listFiles";
import { describe, expect, it } from "vitest";
import { temporaryFolder } from "../../../../test/command.ts";

/** A folder with empty files of these names. */
function folderOf(...names: string[]): string {
  const folder = temporaryFolder();
  for (const name of names) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), "");
  }
  return folder;
}

const listed = (folder: string): string[] => listFiles(folder, [".wav", ".flac"], "--audio_dir");

describe("listFiles", () => {
  it("finds the extensions in any case, folders below too, in the order of the whole path", () => {
    const folder = folderOf(
      "b.wav",
      "a/z.flac",
      "a.wav",
      "B.WAV",
      "a/b/c.wav",
      "ä.wav",
      "a-1.wav",
      "10.wav",
      "9.wav",
      "notes.txt",
      "wav",
      "x.wav.bak",
    );
    expect(listed(folder)).toEqual([
      "10.wav",
      "9.wav",
      "B.WAV",
      "a-1.wav",
      "a.wav",
      "a/b/c.wav",
      "a/z.flac",
      "b.wav",
      "ä.wav",
    ]);
  });

  it("passes over hidden names, as other systems leave them, and folders that are called like files", () => {
    const folder = folderOf("a.wav", "._a.wav", ".cache/b.wav", "c.wav/d.wav");
    expect(listed(folder)).toEqual(["a.wav", "c.wav/d.wav"]);
  });

  it("follows links, but not in a circle, nor to what is gone, nor to themselves", () => {
    const folder = folderOf("a.wav", "sub/b.wav");
    const elsewhere = folderOf("c.wav");
    symlinkSync(elsewhere, join(folder, "linked"));
    symlinkSync(join(elsewhere, "c.wav"), join(folder, "d.wav"));
    symlinkSync(join(folder, "gone"), join(folder, "e.wav"));
    symlinkSync("..", join(folder, "sub", "up"));
    symlinkSync("f.wav", join(folder, "f.wav"));
    expect(listed(folder)).toEqual(["a.wav", "d.wav", "linked/c.wav", "sub/b.wav"]);
  });

  it("refuses a folder that holds none", () => {
    const folder = folderOf("notes.txt");
    expect(() => listed(folder)).toThrow(
      expect.objectContaining({
        code: "E_INPUT_EMPTY",
        message: `--audio_dir ${folder}: holds no file that ends in .wav .flac`,
      }),
    );
  });
});

it.each([
  [requireFolder, "none", "no such folder"],
  [requireFolder, "a.wav", "must be a folder, is a file"],
  [requireFolder, "a.wav/below", "no such folder"],
  [requireFile, "none", "no such file"],
  [requireFile, "a.wav/", "no such file"],
  [requireFile, "sub", "must be a file, is a folder"],
])("%o says of %s: %s", (check, name, rule) => {
  const path = join(folderOf("a.wav", "sub/b.wav"), name);
  expect(() => check(path, "--in")).toThrow(
    expect.objectContaining({ code: "E_INPUT_MISSING", message: `--in ${path}: ${rule}` }),
  );
});

it.each([
  ["a/B.WAV", ".wav", "B"],
  ["a.b/c", "", "c"],
  ["a/b.tar.gz", ".gz", "b.tar"],
  ["x", "", "x"],
])("%s: extension '%s', stem '%s'", (path, extension, stem) => {
  expect([extensionOf(path), stemOf(path)]).toEqual([extension, stem]);
});
