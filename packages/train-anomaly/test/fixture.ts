import { join } from "node:path";
import { runCli } from "@emotion-service/core/cli/run";
import type { EncoderInfo } from "@emotion-service/core/hdf5/encoder";
import { type PairedFile, writePaired } from "@emotion-service/core/hdf5/paired";
import { createRandom, normal } from "@emotion-service/core/random";
import { createProgram } from "../src/cli.ts";

const IMAGE = { model: "face", weightsSha256: "ab", featureConfig: '{"size":112}', dim: 5 };
const AUDIO = {
  model: "audio_stats",
  weightsSha256: "none",
  featureConfig: '{"sr":16000}',
  dim: 7,
};

export interface PairsOptions {
  readonly rows?: number;
  readonly seed?: number;
  /** Rows at the end that lie far out; their label is "1" with `binaryLabels`. */
  readonly outliers?: number;
  readonly binaryLabels?: boolean;
  /** Every 10th row lacks its image, every 10th its audio. */
  readonly missing?: boolean;
  /** The first row lacks both. */
  readonly emptyRow?: boolean;
  readonly audioEncoder?: Partial<EncoderInfo>;
  /** Put into the audio of row 3. */
  readonly badValue?: number;
}

/** Writes a paired file `name` in `folder` and returns its path. */
export async function writePairs(
  folder: string,
  name: string,
  options: PairsOptions = {},
): Promise<string> {
  const path = join(folder, name);
  await writePaired(path, pairsOf(options));
  return path;
}

function pairsOf(options: PairsOptions): PairedFile {
  const { rows = 120, seed = 1, outliers = 3, missing = false } = options;
  const audioEncoder = { ...AUDIO, ...options.audioEncoder };
  const random = createRandom(seed);
  const every = Array.from({ length: rows }, (_, row) => row);
  const isOutlier = (row: number): boolean => row >= rows - outliers;
  const present = (offset: number): Uint8Array =>
    Uint8Array.from(every, (row) => {
      if (options.emptyRow === true && row === 0) return 0;
      return missing && row % 10 === offset && !isOutlier(row) ? 0 : 1;
    });
  const [imagePresent, audioPresent] = [present(4), present(7)];
  const matrix = (columns: number, there: Uint8Array) => ({
    data: Float32Array.from(
      every.flatMap((row) =>
        Array.from({ length: columns }, () =>
          there[row] === 1 ? 5 + normal(random) + (isOutlier(row) ? 9 : 0) : 0,
        ),
      ),
    ),
    rows,
    columns,
  });
  const image = matrix(IMAGE.dim, imagePresent);
  const audio = matrix(audioEncoder.dim, audioPresent);
  if (options.badValue !== undefined) audio.data[3 * audio.columns] = options.badValue;
  const paths = every.map((row) => `${isOutlier(row) ? "odd" : "plain"}/${row}.wav`);
  const labels = every.map((row) =>
    options.binaryLabels === true ? `${Number(isOutlier(row))}` : "happy",
  );
  return {
    rows: {
      image,
      audio,
      labels,
      paths,
      imagePaths: paths,
      audioPaths: paths,
      groups: paths,
      imagePresent,
      audioPresent,
    },
    imageEncoder: IMAGE,
    audioEncoder,
    matchBy: "name",
    seed: 1,
  };
}

/** Runs the program in this process, its output in strings. */
export async function run(args: readonly string[], signal?: AbortSignal) {
  let stdout = "";
  let stderr = "";
  const io = {
    stdout: { write: (text: string) => ((stdout += text), true) },
    stderr: { write: (text: string) => ((stderr += text), true) },
    ...(signal === undefined ? {} : { signal }),
  };
  const exitCode = await runCli(createProgram(io), args, io);
  return { exitCode, stdout, stderr };
}
