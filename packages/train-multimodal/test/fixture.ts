import { join } from "node:path";
import { createH5, writeArray, writeStrings } from "@emotion-service/core/hdf5/file";
import type { EncoderInfo } from "@emotion-service/core/hdf5/encoder";
import { type PairedFile, writePaired } from "@emotion-service/core/hdf5/paired";
import { createRandom, normal } from "@emotion-service/core/random";

const IMAGE = { model: "face", weightsSha256: "ab", featureConfig: '{"face_size":112}', dim: 6 };
const AUDIO = {
  model: "audio_stats",
  weightsSha256: "none",
  featureConfig: '{"audio":{"sr":16000}}',
  dim: 5,
};
export const EMOTIONS = ["angry", "happy", "neutral", "sad"];

export interface PairsOptions {
  readonly rows?: number;
  readonly seed?: number;
  readonly speakers?: number;
  /** The number of the first speaker. */
  readonly firstSpeaker?: number;
  /** Labels in turn, in place of the four emotions. */
  readonly labels?: readonly string[];
  readonly imageEncoder?: Partial<EncoderInfo>;
  readonly audioEncoder?: Partial<EncoderInfo>;
  /** Every third row lacks its image. */
  readonly missingImages?: boolean;
  readonly matchBy?: string;
  /** Stands in the audio of row 2. */
  readonly badValue?: number;
}

/** Writes a paired file `name` in `folder`, the emotion planted half in the image and half in the audio. */
export async function writePairs(
  folder: string,
  name: string,
  options: PairsOptions = {},
): Promise<string> {
  const path = join(folder, name);
  await writePaired(path, pairsOf(options));
  return path;
}

/** The same rows as the Python service writes them: embeddings, labels and paths, and no attribute. */
export async function writePythonPairs(
  folder: string,
  name: string,
  options: PairsOptions = {},
): Promise<string> {
  const path = join(folder, name);
  const { rows } = pairsOf(options);
  const writer = await createH5(path);
  writer.edit((file) => {
    for (const part of ["image", "audio"] as const) {
      const { data, rows: count, columns } = rows[part];
      writeArray(file, `${part}_embeddings`, data, [count, columns], "<f");
    }
    writeStrings(file, "labels", rows.labels);
    writeStrings(file, "paths", rows.paths);
  });
  writer.close();
  return path;
}

function pairsOf(options: PairsOptions): PairedFile {
  const { rows = 160, seed = 1, speakers = 8, firstSpeaker = 1001, labels = EMOTIONS } = options;
  const random = createRandom(seed);
  const imageEncoder = { ...IMAGE, ...options.imageEncoder };
  const audioEncoder = { ...AUDIO, ...options.audioEncoder };
  const every = Array.from({ length: rows }, (_, row) => row);
  const imagePresent = Uint8Array.from(every, (row) =>
    Number(options.missingImages !== true || row % 3 !== 0),
  );
  const matrix = (columns: number, knows: (id: number) => number) => ({
    data: Float32Array.from(
      every.flatMap((row) =>
        Array.from(
          { length: columns },
          (_, column) => normal(random) + (column === 0 ? 5 * knows(row % labels.length) : 0),
        ),
      ),
    ),
    rows,
    columns,
  });
  const image = matrix(imageEncoder.dim, (id) => id & 1);
  const audio = matrix(audioEncoder.dim, (id) => id >> 1);
  if (options.badValue !== undefined) audio.data[2 * audio.columns] = options.badValue;
  const speakerOf = (row: number): number => firstSpeaker + (Math.floor(row / 4) % speakers);
  const paths = every.map((row) => `${row}/${speakerOf(row)}_DFA_ANG_XX.wav`);
  return {
    rows: {
      image,
      audio,
      labels: every.map((row) => labels[row % labels.length]!),
      paths,
      imagePaths: paths,
      audioPaths: paths,
      groups: every.map((row) => `${speakerOf(row)}`),
      imagePresent,
      audioPresent: new Uint8Array(rows).fill(1),
    },
    imageEncoder,
    audioEncoder,
    matchBy: options.matchBy ?? "id",
    seed: 1,
  };
}
