import { DEFAULT_LOG_MEL, type LogMelConfig } from "@emotion-service/core/audio/logMelConfig";
import { createFeatureWriter } from "@emotion-service/core/hdf5/preprocessedAudioWriter";
import { createRandom, normal } from "@emotion-service/core/random";

export const MELS = 16;
export const LABELS = ["angry", "happy", "sad"];
export const FEATURES: LogMelConfig = { ...DEFAULT_LOG_MEL, n_mels: MELS, fixed_duration: 0 };

export interface ClipsOptions {
  readonly rows?: number;
  readonly firstSpeaker?: number;
  readonly config?: LogMelConfig;
  readonly labels?: readonly string[];
  /** The number of a clip in which every sample is zero. */
  readonly silentRow?: number;
}

/** Writes clips of 20 to 35 frames, whose emotion is which third of the bands is loud. */
export async function writeClips(
  path: string,
  {
    rows = 72,
    firstSpeaker = 1001,
    config = FEATURES,
    labels = LABELS,
    silentRow,
  }: ClipsOptions = {},
): Promise<string> {
  const random = createRandom(firstSpeaker);
  const mels = config.n_mels;
  const writer = await createFeatureWriter(path, { config, batchRows: 16, compression: "none" });
  for (let row = 0; row < rows; row += 1) {
    const frames = 20 + (row % 16);
    const label = labels[row % labels.length] ?? "";
    const loud = row % labels.length;
    const features = Float32Array.from({ length: mels * frames }, (_, at) => {
      const third = Math.floor((3 * Math.floor(at / frames)) / mels);
      return (third === loud ? -10 : -40) + 4 * normal(random);
    });
    if (row === silentRow) features.fill(0);
    const speaker = firstSpeaker + Math.floor(row / 12);
    writer.add({ features, frames, label, path: `${row}/${speaker}_IEO_ANG_XX.wav` });
  }
  writer.finish({ audioDir: "clips", errors: 0 });
  writer.close();
  return path;
}
