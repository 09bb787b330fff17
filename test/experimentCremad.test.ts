import { execFile } from "node:child_process";
import { readdirSync, renameSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";
import { FOLDS, partIn } from "../scripts/experiment/folds.ts";
import { writeSpeechSample } from "../scripts/sample/writeSample.ts";
import { temporaryFolder } from "./command.ts";

const SPEAKERS = Array.from({ length: 91 }, (_, i) => `cremad:${1001 + i}`);

describe("the folds of CREMA-D", () => {
  test("every speaker is tested once and validates once, and never both", () => {
    for (const speaker of SPEAKERS) {
      const parts = FOLDS.map((fold) => partIn(fold, speaker));
      expect(parts.toSorted()).toEqual(["test", "train", "train", "train", "val"]);
    }
  });

  test("the first fold, as published", () => {
    const of = (part: string) => SPEAKERS.filter((speaker) => partIn(1, speaker) === part);
    expect([of("test")[0], of("test").at(-1)]).toEqual(["cremad:1001", "cremad:1018"]);
    expect([of("val")[0], of("val").at(-1)]).toEqual(["cremad:1019", "cremad:1036"]);
    expect(of("train")).toHaveLength(55);
  });

  test("a speaker of another corpus is refused", () => {
    expect(() => partIn(1, "ravdess:01")).toThrow("must be a speaker of CREMA-D");
  });
});

test("the experiment prints its table, for a folder with a speaker of each set", async () => {
  const folder = temporaryFolder();
  const clips = join(folder, "AudioWAV");
  writeSpeechSample(clips, { speakers: 5, sentences: 1 });
  for (const name of readdirSync(clips)) {
    const speaker = 1001 + 18 * (Number(name.slice(0, 4)) - 1001);
    renameSync(join(clips, name), join(clips, `x${speaker}${name.slice(4)}`));
  }
  for (const name of readdirSync(clips)) renameSync(join(clips, name), join(clips, name.slice(1)));
  const script = ["--import", "tsx", "scripts/experiment/cremad.ts"];
  const flags = ["--cremad", folder, "--out", join(folder, "out"), "--folds", "1,5"];
  const { stdout } = await promisify(execFile)(process.execPath, [
    ...script,
    ...flags,
    "--epochs",
    "1",
    "--models",
    "audio_stats,audio_cnn",
    "--json",
  ]);
  const { clips: count, speakers, results } = JSON.parse(stdout);
  expect({ count, speakers }).toEqual({ count: 30, speakers: 5 });
  const names = results.map(({ name }: { name: string }) => name);
  expect(names).toEqual(["sound, audio_stats", "sound, audio_cnn of the fold"]);
  for (const { folds, uar } of results) {
    expect(folds).toHaveLength(2);
    expect(uar.mean).toBeCloseTo((folds[0].uar + folds[1].uar) / 2, 12);
  }
});
