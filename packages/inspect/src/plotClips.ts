import { writeFileSync } from "node:fs";
import { UserError } from "@emotion-service/core/errors";
import { withOutputs } from "@emotion-service/core/files/outputs";
import { readPreprocessedAudio } from "@emotion-service/core/hdf5/preprocessedAudio";
import { renderPng } from "@emotion-service/core/plot/render";
import { spectrograms } from "@emotion-service/core/plot/spectrograms";
import { chooseClips } from "./chooseClips.ts";

/** Panels of the picture. */
const CLIPS = 6;

/**
 * Draws spectrograms of a few clips of a preprocessed-audio file as a PNG at `target`.
 * @throws UserError when the file lacks what the picture needs, or every clip is silent
 */
export async function plotClips(path: string, target: string): Promise<void> {
  await withOutputs(async (outputs) => {
    const staged = outputs.stage(target);
    const { config, clips } = await readPreprocessedAudio(path, "<file>", (facts, rows) => ({
      config: facts.config,
      clips: chooseClips(facts.labels, rows, CLIPS),
    }));
    if (clips.length === 0)
      throw new UserError("E_INPUT_EMPTY", `${path}: must hold a clip with sound, has none`, {
        hint: "leave out --plot, or name a file of other clips",
      });
    writeFileSync(staged, await renderPng(await spectrograms(clips, config)));
  });
}
