import { breathe } from "../breathe.ts";
import { EMOTIONS, canonicalEmotion } from "../labels.ts";
import { requireRows } from "./embeddings.ts";
import { type EncoderInfo, encoderFromAttributes } from "./encoder.ts";
import {
  type Dataset,
  type File,
  findDataset,
  matrixShape,
  readAttributes,
  readH5,
  readMatrixPart,
  readStringsPart,
  requireDataset,
} from "./file.ts";
import { readFlags } from "./paired.ts";

/** What a paired file says of one modality of its rows, the values aside. */
export interface ModalityIndex {
  /** The dataset of its values, f4 [N, D]. */
  readonly dataset: string;
  readonly encoder: EncoderInfo;
  /** D */
  readonly columns: number;
  /** [N]: 1 where the modality is there. */
  readonly present: Uint8Array;
  /** Rows that the file stores together, so that reading one of them costs as much as reading all; 1: each by itself. */
  readonly rowsTogether: number;
}

/** What a paired file says of its modalities, the values aside. */
export interface ModalitiesIndex {
  readonly path: string;
  /** The flag that named the file, for messages. */
  readonly flag: string;
  readonly rows: number;
  readonly image: ModalityIndex;
  readonly audio: ModalityIndex;
  readonly matchBy: string;
}

/** What a paired file says of its rows, the values aside: small enough to be held for millions of rows. */
export interface PairedIndex extends ModalitiesIndex {
  /** Index into EMOTIONS, −1 where the label is none of them, [N]. */
  readonly emotions: Int8Array;
  /** The speaker of a row, an index into `groupNames`, [N]. */
  readonly groups: Int32Array;
  readonly groupNames: readonly string[];
}

/** Rows whose strings are held at once. */
const STRINGS_AT_ONCE = 65_536;

const CURE = "write it with pair";

/**
 * Reads what a paired file says of its rows; the layouts are those of `readPaired`.
 * @throws UserError when the file is missing, is not HDF5, lacks a dataset or has unequal ones; E_ABORTED
 */
export async function indexPaired(
  path: string,
  flag: string,
  speakerOf: (path: string) => string | undefined,
  signal?: AbortSignal,
): Promise<PairedIndex> {
  return readH5(path, flag, async (file) => {
    const modalities = modalitiesOf(file, path, flag);
    const { rows } = modalities;
    const [labels, paths] = [
      requireDataset(file, "labels", path, CURE),
      requireDataset(file, "paths", path, CURE),
    ];
    const named = findDataset(file, "groups");
    if (named !== undefined) requireRows(path, "groups, paths", rowsOf(named), rows);
    const emotionOf = remembered((label) => emotionId(label));
    const emotions = new Int8Array(rows);
    await eachString(labels, (label, row) => (emotions[row] = emotionOf(label)), signal);
    return {
      ...modalities,
      emotions,
      ...(await readGroups(named ?? paths, named === undefined ? speakerOf : undefined, signal)),
    };
  });
}

/**
 * Reads what a paired file says of its modalities; its texts are not read.
 * @throws UserError as {@link indexPaired}
 */
export async function indexModalities(path: string, flag: string): Promise<ModalitiesIndex> {
  return readH5(path, flag, (file) => modalitiesOf(file, path, flag));
}

function modalitiesOf(file: File, path: string, flag: string): ModalitiesIndex {
  const find = (name: string): Dataset => requireDataset(file, name, path, CURE);
  const [images, sounds] = [find("image_embeddings"), find("audio_embeddings")];
  const { rows } = matrixShape(images, path);
  requireRows(
    path,
    "image_embeddings, audio_embeddings, labels, paths",
    rows,
    matrixShape(sounds, path).rows,
    rowsOf(find("labels")),
    rowsOf(find("paths")),
  );
  return {
    path,
    flag,
    rows,
    image: modality(file, images, "image_", path),
    audio: modality(file, sounds, "audio_", path),
    matchBy: String(readAttributes(file)["match_by"] ?? "unknown"),
  };
}

/**
 * Reads the texts of a column, in the order of the rows, some thousands at once.
 * @throws UserError E_INPUT_BROKEN when they cannot be read; E_ABORTED
 */
export async function eachText(
  { path, flag }: Pick<ModalitiesIndex, "path" | "flag">,
  column: "labels" | "paths",
  visit: (text: string, row: number) => void,
  signal: AbortSignal | undefined,
): Promise<void> {
  await readH5(path, flag, (file) =>
    eachString(requireDataset(file, column, path, CURE), visit, signal),
  );
}

/** The path of one row, for a message. */
export async function pathOfRow({ path, flag }: ModalitiesIndex, row: number): Promise<string> {
  return readH5(path, flag, (file) => {
    const paths = requireDataset(file, "paths", path, CURE);
    return readStringsPart(paths, row, row + 1)[0] ?? "";
  });
}

function rowsOf(dataset: Dataset): number {
  return dataset.shape?.[0] ?? 0;
}

function emotionId(label: string): number {
  const emotions: readonly string[] = EMOTIONS;
  return emotions.indexOf(canonicalEmotion(label) ?? "");
}

/** A function of few different texts that is worked out once for each. */
function remembered(work: (text: string) => number): (text: string) => number {
  const known = new Map<string, number>();
  return (text) => {
    let value = known.get(text);
    if (value === undefined) known.set(text, (value = work(text)));
    return value;
  };
}

async function eachString(
  dataset: Dataset,
  visit: (text: string, row: number) => void,
  signal: AbortSignal | undefined,
): Promise<void> {
  const rows = rowsOf(dataset);
  for (let start = 0; start < rows; start += STRINGS_AT_ONCE) {
    await breathe(signal);
    const texts = readStringsPart(dataset, start, Math.min(rows, start + STRINGS_AT_ONCE));
    for (const [i, text] of texts.entries()) visit(text, start + i);
  }
}

/** The groups as they stand in the file, or (with `speakerOf`) as the paths tell; a path that does not is one by itself. */
async function readGroups(
  dataset: Dataset,
  speakerOf: ((path: string) => string | undefined) | undefined,
  signal: AbortSignal | undefined,
): Promise<Pick<PairedIndex, "groups" | "groupNames">> {
  const groups = new Int32Array(rowsOf(dataset));
  const groupNames: string[] = [];
  const idOf = remembered((name) => groupNames.push(name) - 1);
  await eachString(dataset, (text, row) => (groups[row] = idOf(speakerOf?.(text) ?? text)), signal);
  return { groups, groupNames };
}

function modality(
  file: File,
  dataset: Dataset,
  prefix: "image_" | "audio_",
  path: string,
): ModalityIndex {
  const { rows, columns } = matrixShape(dataset, path);
  if (rows > 0) readMatrixPart(dataset, columns, [0, 1], path); // refuses a type that cannot be read
  return {
    dataset: `${prefix}embeddings`,
    encoder: encoderFromAttributes(readAttributes(file), columns, prefix),
    columns,
    present: readFlags(file, `${prefix}present`, rows, path),
    rowsTogether: rowsTogether(dataset),
  };
}

/** HDF5 reads a chunk as a whole if it is filtered (compressed) or fits in its cache, bytes. */
const CHUNK_CACHE = 8 * 2 ** 20;

function rowsTogether({ metadata, filters, shape }: Dataset): number {
  const [rows = 1, columns = 1] = metadata.chunks ?? [];
  if (metadata.chunks === null) return 1;
  const isReadWhole =
    filters.length > 0 ||
    columns < (shape?.[1] ?? 0) ||
    rows * columns * metadata.size <= CHUNK_CACHE;
  return isReadWhole ? rows : 1;
}
