import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { afterAll, beforeAll } from "vitest";
import { writeFaceSample, writeSpeechSample } from "../../../scripts/sample/writeSample.ts";
import { encodeWav } from "@emotion-service/core/audio/encodeWav";
import { runCommand } from "../../../test/command.ts";

/** What one pipeline leaves in its folder, relative to it. */
export const CLASSIFIER = "saved_models/multimodal_best";
export const DETECTOR = "results/isolation_forest.json";
export const FACE = "faces/happy/happy_001.jpg";
export const CLIP = "audio/1001_DFA_HAP_XX.wav";
/** Normal cases in which a modality is missing. */
export const SILENT = "silent.wav";
export const NO_FACE = "grey.png";

/** The commands from files to both models, a minute's work made small. */
const STEPS: readonly string[] = [
  "embed --images_dir faces --out_h5 images.h5 --workers 1",
  "embed --audio_dir audio --out_h5 audio.h5 --workers 1",
  "pair --img_h5 images.h5 --aud_h5 audio.h5 --out_h5 pairs.h5 --match_by label",
  "train-multimodal --train_h5 pairs.h5 --epochs 4 --batch_size 16",
  "train-anomaly --train_h5 pairs.h5 --save_dir results --n_estimators 20",
];

/** Makes, before the tests of a file, a folder with files, embeddings and two trained models; returns its path. */
export function usePipeline(): () => string {
  let folder = "";
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "emotion-service-"));
    await writeFaceSample(join(folder, "faces"), { facesPerClass: 2 });
    writeSpeechSample(join(folder, "audio"), { speakers: 2, sentences: 1 });
    writeFileSync(join(folder, SILENT), encodeWav(new Float32Array(8000), 16_000));
    await sharp({ create: { width: 400, height: 300, channels: 3, background: "grey" } }) // too large to be a cut-out face
      .png()
      .toFile(join(folder, NO_FACE));
    for (const step of STEPS) {
      const [command = "", ...args] = step.split(" ");
      const { exitCode, stderr } = await runCommand(command, [...args, "--quiet"], { cwd: folder });
      if (exitCode !== 0) throw new Error(`${step}: ${stderr}`);
    }
  }, 240_000);
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  return () => folder;
}
