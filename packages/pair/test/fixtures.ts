import { type Split, writeEmbeddings } from "@emotion-service/core/hdf5/embeddings";
import { factsOf } from "@emotion-service/core/labels";
import { runInProcess } from "../../../test/inProcess.ts";
import { createProgram } from "../src/cli.ts";
import type { Item, Modality, Sample } from "../src/parts.ts";

/** A row of an input whose one-value vector is its index, so that a test can tell where it went. */
export function item(modality: Modality, path: string, index = 0, label?: string): Item {
  const facts = factsOf(path);
  return {
    modality,
    path,
    label: label ?? facts.label,
    group: facts.speaker ?? path,
    vector: Float32Array.of(index),
  };
}

export function items(modality: Modality, paths: readonly string[]): Item[] {
  return paths.map((path, index) => item(modality, path, index));
}

/** "a.jpg+b.jpg|c.wav" of a sample. */
export function sampleText({ images, audio }: Sample): string {
  return `${images.map(({ path }) => path).join("+")}|${audio?.path ?? ""}`;
}

/** Writes an embeddings file of one group; row i is [i, 10 i], its label what its path says. */
export async function writeSide(
  file: string,
  paths: readonly string[],
  options: { readonly split?: Split; readonly labels?: readonly string[] } = {},
): Promise<string> {
  const data = Float32Array.from(paths.flatMap((_, row) => [row, 10 * row]));
  await writeEmbeddings(file, {
    encoder: { model: "test", weightsSha256: "none", featureConfig: "{}", dim: 2 },
    splits: new Map([
      [
        options.split ?? "all",
        {
          embeddings: { data, rows: paths.length, columns: 2 },
          labels: options.labels ?? paths.map((path) => factsOf(path).label),
          paths,
        },
      ],
    ]),
  });
  return file;
}

/** Runs `pair` in this process. */
export function pair(...argv: string[]) {
  return runInProcess(createProgram, argv);
}

/** CREMA-D-like clips: `speakers` × 6 emotions. */
export function cremadClips(speakers: number): string[] {
  const codes = ["ANG", "DIS", "FEA", "HAP", "NEU", "SAD"];
  return Array.from({ length: speakers }, (_, s) =>
    codes.map((code) => `${1001 + s}_IEO_${code}_XX.wav`),
  ).flat();
}

/** Faces in class folders, `count` of each of the six emotions. */
export function facePaths(
  count: number,
  classes = ["angry", "disgust", "fear", "happy", "neutral", "sad"],
): string[] {
  return classes.flatMap((label) =>
    Array.from({ length: count }, (_, i) => `${label}/${String(i).padStart(3, "0")}.jpg`),
  );
}
