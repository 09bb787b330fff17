import { existsSync } from "node:fs";
import { writeCsv } from "@emotion-service/core/files/manifest";
import type { Outputs } from "@emotion-service/core/files/outputs";
import type { EncoderInfo } from "@emotion-service/core/hdf5/encoder";
import type { Matrix } from "@emotion-service/core/hdf5/file";
import { type PairedFile, writePaired } from "@emotion-service/core/hdf5/paired";
import { type Item, PARTS, type Part, type Sample, itemsOf } from "./parts.ts";
import type { Plan } from "./planPairs.ts";

/** The files of one run, by what they hold. */
export interface OutputNames {
  /** Every row. */
  readonly all: string;
  readonly manifest: string;
  readonly parts: Readonly<Record<Exclude<Part, "all">, string>>;
}

/** "x/paired.h5" → x/paired_train.h5, …, x/paired_manifest.csv. */
export function outputNames(outH5: string): OutputNames {
  const [, stem = outH5, extension = ""] = /^(.*[^/\\])(\.[^./\\]+)$/.exec(outH5) ?? [];
  const named = (part: string): string => `${stem}_${part}${extension}`;
  return {
    all: outH5,
    manifest: `${stem}_manifest.csv`,
    parts: { train: named("train"), val: named("val"), test: named("test") },
  };
}

/** Files of an earlier run that this plan does not write again, and that one would take for its own. */
export function staleFiles(names: OutputNames, { parts }: Plan): string[] {
  return PARTS.filter((part) => !parts.has(part))
    .map((part) => names.parts[part])
    .filter((path) => existsSync(path));
}

/** What a paired file says of its origin. */
export type PairedFacts = Omit<PairedFile, "rows">;

/** Writes the file of all rows, one a part, and the manifest; returns their names. */
export async function writePairs(
  outputs: Outputs,
  names: OutputNames,
  plan: Plan,
  facts: PairedFacts,
): Promise<string[]> {
  const written: string[] = [];
  const write = async (path: string, samples: readonly Sample[]): Promise<void> => {
    const { imageEncoder, audioEncoder } = facts;
    const rows = gather(samples, imageEncoder, audioEncoder);
    await writePaired(outputs.stage(path), { ...facts, rows });
    written.push(path);
  };
  await write(names.all, [...plan.parts.values()].flat());
  for (const part of PARTS) {
    const samples = plan.parts.get(part);
    if (samples !== undefined) await write(names.parts[part], samples);
  }
  writeCsv(outputs.stage(names.manifest), MANIFEST_COLUMNS, manifestRows(plan));
  return [...written, names.manifest];
}

/** Copies the vectors of samples into the two matrices of a paired file; frames are averaged. */
function gather(
  samples: readonly Sample[],
  imageEncoder: EncoderInfo,
  audioEncoder: EncoderInfo,
): PairedFile["rows"] {
  const named = samples.map(({ images: [image], audio }) => ({ image, main: audio ?? image }));
  return {
    image: meansOf(
      samples.map(({ images }) => images),
      imageEncoder.dim,
    ),
    audio: meansOf(
      samples.map(({ audio }) => (audio === undefined ? [] : [audio])),
      audioEncoder.dim,
    ),
    labels: samples.map(({ label }) => label),
    paths: named.map(({ main }) => main?.path ?? ""),
    imagePaths: named.map(({ image }) => image?.path ?? ""),
    audioPaths: samples.map(({ audio }) => audio?.path ?? ""),
    groups: named.map(({ main }) => main?.group ?? ""),
    imagePresent: Uint8Array.from(samples, ({ images }) => Number(images.length > 0)),
    audioPresent: Uint8Array.from(samples, ({ audio }) => Number(audio !== undefined)),
  };
}

/** [N] lists of rows → their means f4 [N, D], summed in 64 bits; zeros where a list is empty. */
function meansOf(lists: readonly (readonly Item[])[], columns: number): Matrix {
  const data = new Float32Array(lists.length * columns);
  for (const [row, items] of lists.entries()) {
    const [first] = items;
    if (items.length === 1 && first !== undefined) data.set(first.vector, row * columns);
    else if (items.length > 1) data.set(meanOf(items, columns), row * columns);
  }
  return { data, rows: lists.length, columns };
}

function meanOf(items: readonly Item[], columns: number): Float64Array {
  const mean = new Float64Array(columns);
  for (const { vector } of items)
    for (let column = 0; column < columns; column += 1)
      mean[column] = (mean[column] ?? 0) + (vector[column] ?? 0) / items.length;
  return mean;
}

/** A line of the manifest: what became of one row of an input file. */
export interface ManifestRow {
  readonly modality: Item["modality"];
  readonly path: string;
  readonly label: string;
  readonly group: string;
  /** The part it stands in; "all" where nothing was split; empty where it was dropped. */
  readonly split: Part | "";
  /** How many rows of the paired file hold it together with the other modality. */
  readonly pairs: number;
  readonly status: "paired" | "alone" | "dropped";
  /** Why it was dropped. */
  readonly cause: string;
}

const MANIFEST_COLUMNS = [
  "modality",
  "path",
  "label",
  "group",
  "split",
  "pairs",
  "status",
  "cause",
] as const;

/** One line for every row of both inputs, images first, by path. */
export function manifestRows({ parts, dropped }: Plan): ManifestRow[] {
  const rows = new Map<Item, ManifestRow>();
  for (const [split, samples] of parts)
    for (const sample of samples) {
      const isPair = sample.images.length > 0 && sample.audio !== undefined;
      for (const item of itemsOf(sample)) {
        const pairs = (rows.get(item)?.pairs ?? 0) + Number(isPair);
        rows.set(item, {
          ...factsOf(item),
          split,
          pairs,
          status: isPair ? "paired" : "alone",
          cause: "",
        });
      }
    }
  for (const { items, cause } of dropped)
    for (const item of items)
      rows.set(item, { ...factsOf(item), split: "", pairs: 0, status: "dropped", cause });
  const sortKey = ({ modality, path }: ManifestRow): string =>
    `${modality === "image" ? 0 : 1}${path}`;
  return [...rows.values()].toSorted((a, b) => (sortKey(a) < sortKey(b) ? -1 : 1));
}

function factsOf({ modality, path, label, group }: Item) {
  return { modality, path, label, group };
}
