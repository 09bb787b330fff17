import { UNKNOWN_LABEL, canonicalEmotion } from "../labels.ts";
import { requireRows } from "./embeddings.ts";
import { type EncoderInfo, encoderAttributes, encoderFromAttributes } from "./encoder.ts";
import {
  type AttributeValue,
  type Group,
  type Matrix,
  createH5,
  findDataset,
  readAttributes,
  readH5,
  readMatrix,
  readStrings,
  requireDataset,
  toFloat32,
  writeArray,
  writeAttributes,
  writeStrings,
} from "./file.ts";
import { CREATED_BY, FORMAT_VERSION } from "./format.ts";

/** Aligned rows: row i of each array is of the same sample. */
export interface PairedRows {
  /** f4 [N, Di]; zeros where the image is absent. */
  readonly image: Matrix;
  /** f4 [N, Da]; zeros where the audio is absent. */
  readonly audio: Matrix;
  /** Canonical emotions or "unknown", [N]. */
  readonly labels: readonly string[];
  /** One name a row (the audio's path, or the image's where there is no audio), [N]. */
  readonly paths: readonly string[];
  readonly imagePaths: readonly string[];
  readonly audioPaths: readonly string[];
  /** The speaker of a row; rows of one group never stand in two splits, [N]. */
  readonly groups: readonly string[];
  /** 1 where the modality is there, 0 where it is missing, [N]. */
  readonly imagePresent: Uint8Array;
  readonly audioPresent: Uint8Array;
}

export interface PairedFile {
  readonly rows: PairedRows;
  readonly imageEncoder: EncoderInfo;
  readonly audioEncoder: EncoderInfo;
  /** How rows were matched: "name", "id", "label", "manifest"; "unknown" in a file of another writer. */
  readonly matchBy: string;
  /** Why they were matched so, a sentence; "unknown" in a file of another writer. */
  readonly matchReason?: string;
  readonly seed: number;
  /** More attributes for the writer to keep: how it was split, what became of several frames. */
  readonly facts?: Readonly<Record<string, AttributeValue>>;
}

/** Writes a paired file at `path` (a staged output's temporary path). */
export async function writePaired(path: string, content: PairedFile): Promise<void> {
  const writer = await createH5(path);
  const { rows } = content;
  try {
    writer.edit((file) => {
      writeAttributes(file, {
        format: "emotion-service pairs",
        format_version: FORMAT_VERSION,
        created_by: CREATED_BY,
        match_by: content.matchBy,
        ...(content.matchReason === undefined ? {} : { match_reason: content.matchReason }),
        seed: content.seed,
        ...content.facts,
        ...encoderAttributes(content.imageEncoder, "image_"),
        ...encoderAttributes(content.audioEncoder, "audio_"),
      });
      const matrix = (name: string, { data, rows: count, columns }: Matrix): void =>
        writeArray(file, name, data, [count, columns], "<f");
      matrix("image_embeddings", rows.image);
      matrix("audio_embeddings", rows.audio);
      writeStrings(file, "labels", rows.labels);
      writeStrings(file, "paths", rows.paths);
      writeStrings(file, "image_paths", rows.imagePaths);
      writeStrings(file, "audio_paths", rows.audioPaths);
      writeStrings(file, "groups", rows.groups);
      writeArray(file, "image_present", rows.imagePresent, [rows.imagePresent.length], "<B");
      writeArray(file, "audio_present", rows.audioPresent, [rows.audioPresent.length], "<B");
    });
  } finally {
    writer.close();
  }
}

/**
 * Reads a paired file: ours, or one of the Python service (which has embeddings, labels and paths alone: then every
 * modality is present and the groups are what `speakerOf` reads from the path).
 * @throws UserError when the file is missing, is not HDF5, or lacks a dataset.
 */
export async function readPaired(
  path: string,
  flag: string,
  speakerOf: (path: string) => string | undefined,
): Promise<PairedFile> {
  return readH5(path, flag, (file) => {
    const cure = "write it with pair";
    const image = readMatrix(requireDataset(file, "image_embeddings", path, cure), path);
    const audio = readMatrix(requireDataset(file, "audio_embeddings", path, cure), path);
    const labels = readStrings(requireDataset(file, "labels", path, cure)).map(
      (label) => canonicalEmotion(label) ?? UNKNOWN_LABEL,
    );
    const paths = readStrings(requireDataset(file, "paths", path, cure));
    requireRows(
      path,
      "image_embeddings, audio_embeddings, labels, paths",
      image.rows,
      audio.rows,
      labels.length,
      paths.length,
    );
    const optional = (name: string): string[] | undefined => {
      const dataset = findDataset(file, name);
      const values = dataset && readStrings(dataset);
      if (values !== undefined) requireRows(path, `${name}, paths`, values.length, paths.length);
      return values;
    };
    const attributes = readAttributes(file);
    return {
      rows: {
        image,
        audio,
        labels,
        paths,
        imagePaths: optional("image_paths") ?? paths,
        audioPaths: optional("audio_paths") ?? paths,
        groups: optional("groups") ?? paths.map((name) => speakerOf(name) ?? name),
        imagePresent: readFlags(file, "image_present", paths.length, path),
        audioPresent: readFlags(file, "audio_present", paths.length, path),
      },
      imageEncoder: encoderFromAttributes(attributes, image.columns, "image_"),
      audioEncoder: encoderFromAttributes(attributes, audio.columns, "audio_"),
      matchBy: String(attributes["match_by"] ?? "unknown"),
      matchReason: String(attributes["match_reason"] ?? "unknown"),
      seed: Number(attributes["seed"] ?? 0),
    };
  });
}

/** Presence flags [N] of any number type, or h5py's bool: 1 where they are not 0; 1 throughout where there are none. */
export function readFlags(file: Group, name: string, rows: number, path: string): Uint8Array {
  const dataset = findDataset(file, name);
  if (dataset === undefined) return new Uint8Array(rows).fill(1);
  const flags = toFloat32(dataset.value, dataset.path, path);
  requireRows(path, `${name}, paths`, flags.length, rows);
  return Uint8Array.from(flags, (flag) => Number(flag !== 0));
}
