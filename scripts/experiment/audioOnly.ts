import { readEmbeddings } from "../../packages/core/src/hdf5/embeddings.ts";
import { writePaired } from "../../packages/core/src/hdf5/paired.ts";
import { factsOf } from "../../packages/core/src/labels.ts";
import { FOLD_PARTS, partIn } from "./folds.ts";

/** Writes PREFIX_train.h5, PREFIX_val.h5, PREFIX_test.h5: pairs of a fold whose picture is missing. */
export async function writeAudioFold(audioH5: string, fold: number, prefix: string): Promise<void> {
  const { encoder, splits } = await readEmbeddings(audioH5, "--audio_h5");
  const rows = [...splits.values()].flatMap(({ embeddings: { data, columns }, labels, paths }) =>
    paths.map((path, row) => ({
      path,
      label: labels[row] ?? "unknown",
      group: factsOf(path).speaker ?? path,
      vector: data.subarray(row * columns, (row + 1) * columns),
    })),
  );
  for (const part of FOLD_PARTS) {
    const own = rows.filter(({ group }) => partIn(fold, group) === part);
    const audio = new Float32Array(own.length * encoder.dim);
    for (const [row, { vector }] of own.entries()) audio.set(vector, row * encoder.dim);
    await writePaired(`${prefix}_${part}.h5`, {
      rows: {
        image: { data: new Float32Array(own.length), rows: own.length, columns: 1 },
        audio: { data: audio, rows: own.length, columns: encoder.dim },
        labels: own.map(({ label }) => label),
        paths: own.map(({ path }) => path),
        imagePaths: own.map(() => ""),
        audioPaths: own.map(({ path }) => path),
        groups: own.map(({ group }) => group),
        imagePresent: new Uint8Array(own.length),
        audioPresent: new Uint8Array(own.length).fill(1),
      },
      imageEncoder: { model: "none", weightsSha256: "none", featureConfig: "{}", dim: 1 },
      audioEncoder: encoder,
      matchBy: "none",
      seed: 0,
    });
  }
}
