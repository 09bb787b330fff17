import { rowBytes } from "@emotion-service/core/hdf5/rowBlocks";
import { BUFFER_BYTES, planMixing, requestOf } from "@emotion-service/core/model/mixing";
import { type RowSource, rowsInMemory } from "@emotion-service/core/model/rowSource";
import { rowsFromFile } from "@emotion-service/core/model/rowsFromFile";
import {
  type Choice,
  type ChooseOptions,
  type DataFacts,
  chooseRows,
  classIdsOf,
  dataFacts,
} from "./chooseRows.ts";
import { type LoadOptions, type LoadedFile, passThrough, readWhole } from "./loadFile.ts";

export interface ReadOptions extends ChooseOptions, LoadOptions {
  /** Bytes of values that are held in memory; a file that does not fit is read along the way. */
  readonly memoryBytes: number;
}

export interface Sets {
  readonly train: RowSource;
  readonly val: RowSource;
  readonly test: RowSource | undefined;
  /** In canonical order. */
  readonly classes: readonly string[];
  /** Of the training rows, by modality. */
  readonly inputs: LoadedFile["inputs"];
  readonly matchBy: string;
  readonly data: DataFacts;
  /** By what the training rows' order depends on beside the seed. */
  readonly rowOrder: string;
}

/** Chooses the rows of the sets, reads what fits in memory, and goes once through all values. */
export async function readSets(options: ReadOptions): Promise<Sets> {
  const choices = await chooseRows(options);
  const { train, val, test, classes } = choices;
  let room = options.memoryBytes;
  const load = async (choice: Choice): Promise<LoadedFile> => {
    const bytes = choice.index.rows * rowBytes(requestOf(choice.index, options.modalities));
    if (bytes <= room) {
      room -= bytes;
      return readWhole(choice, options);
    }
    tellStreaming(choice, bytes, options);
    if (choice === train) tellPoorMixing(choice, options);
    return passThrough(choice, options);
  };
  const trainFile = await load(train);
  const valFile = val.index === train.index ? trainFile : await load(val);
  const testFile = test && (await load(test));
  return {
    train: sourceOf(trainFile, train, classes, options),
    val: sourceOf(valFile, val, classes, options),
    test: test && testFile && sourceOf(testFile, test, classes, options),
    classes,
    inputs: trainFile.inputs,
    matchBy: train.index.matchBy,
    data: dataFacts(choices),
    rowOrder: trainFile.values === undefined ? orderFromFile(train, options) : "in memory",
  };
}

function orderFromFile({ index }: Choice, options: ReadOptions): string {
  const { blockRows, bufferRows } = planMixing(index, options.modalities, bufferBytes(options));
  return `from the file by --memory, blocks of ${blockRows} rows through a buffer of ${bufferRows}`;
}

function sourceOf(
  { values }: LoadedFile,
  choice: Choice,
  classes: readonly string[],
  options: ReadOptions,
): RowSource {
  const classIds = classIdsOf(choice, classes);
  if (values !== undefined) return rowsInMemory(values, classIds, classes.length);
  const { modalities } = options;
  const set = { index: choice.index, modalities, classIds, classes: classes.length };
  return rowsFromFile(set, { ...options, bufferBytes: bufferBytes(options) });
}

function bufferBytes({ memoryBytes }: ReadOptions): number {
  return Math.min(memoryBytes, BUFFER_BYTES);
}

/** Rows of fewer places than this at a time do not mix well, where a file is sorted by its labels. */
const ENOUGH_PLACES = 64;

function tellStreaming(
  { index }: Choice,
  bytes: number,
  { memoryBytes, onNotice }: ReadOptions,
): void {
  onNotice(
    `${index.path}: its values take ${mebibytes(bytes)}, more than what is left of --memory ${mebibytes(memoryBytes)}: they are read from the file in each epoch`,
  );
}

function tellPoorMixing({ index }: Choice, options: ReadOptions): void {
  const { blockRows, bufferRows } = planMixing(index, options.modalities, bufferBytes(options));
  const places = Math.floor(bufferRows / blockRows);
  if (places < ENOUGH_PLACES && bufferRows < index.rows)
    options.onNotice(
      `${index.path}: rows of only ${places} places are mixed at a time (${blockRows} rows are read at each); where they are sorted by label, shuffle them, store them in smaller chunks, or give more --memory`,
    );
}

function mebibytes(bytes: number): string {
  return `${Math.ceil(bytes / 2 ** 20)} MiB`;
}
