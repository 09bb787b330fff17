/** Writes a paired file of any size, with emotions planted in noise: `node --import tsx scripts/make-large-pairs.ts --out big.h5`. */
import { parseArgs } from "node:util";
import { createOutputs } from "../packages/core/src/files/outputs.ts";
import {
  type Dataset,
  type File,
  createH5,
  writeAttributes,
  writeStrings,
} from "../packages/core/src/hdf5/file.ts";
import { encoderAttributes } from "../packages/core/src/hdf5/encoder.ts";
import { CREATED_BY, FORMAT_VERSION } from "../packages/core/src/hdf5/format.ts";
import { EMOTIONS } from "../packages/core/src/labels.ts";
import { createRandom, normal } from "../packages/core/src/random.ts";

const HELP = `make-large-pairs: a paired file of planted emotions, written in parts

  --out <file>        where it goes
  --rows <n>          rows (default: 2000000)
  --image <n>         values of an image embedding (default: 512)
  --audio <n>         values of an audio embedding (default: 128)
  --speakers <n>      speakers, their names from --first_speaker on (default: 500)
  --first_speaker <n> (default: 1)
  --chunk_rows <n>    rows of an HDF5 chunk (default: 256)
  --sorted            rows of one emotion stand together
  --seed <n>          same seed, same file (default: 1)
`;

const { values: flags } = parseArgs({
  options: {
    out: { type: "string" },
    rows: { type: "string", default: "2000000" },
    image: { type: "string", default: "512" },
    audio: { type: "string", default: "128" },
    speakers: { type: "string", default: "500" },
    first_speaker: { type: "string", default: "1" },
    chunk_rows: { type: "string", default: "256" },
    sorted: { type: "boolean", default: false },
    seed: { type: "string", default: "1" },
    help: { type: "boolean", short: "h", default: false },
  },
});
/** Rows that are made and written at once. */
const PART = 8192;
/** Normal numbers that rows take their noise from, each from a random place on. */
const NOISE = 2 ** 21;
/** Values of an embedding that tell the emotion, and how far apart emotions are there, in deviations of the noise. */
const TELLING = 16;
const DISTANCE = 0.8;

if (flags.help) process.stdout.write(HELP);
else if (flags.out === undefined) throw new Error("--out FILE is required");
else await writeLargePairs(flags.out, Number(flags.rows));

async function writeLargePairs(out: string, rows: number): Promise<void> {
  const outputs = createOutputs();
  try {
    const writer = await createH5(outputs.stage(out));
    try {
      const random = createRandom(Number(flags.seed));
      const classIds = Uint8Array.from({ length: rows }, (_, row) =>
        Math.floor((flags.sorted ? row / rows : random()) * EMOTIONS.length),
      );
      writer.edit((file) => writeFacts(file, classIds));
      for (const part of ["image", "audio"] as const)
        writer.edit((file) => writeValues(file, part, Number(flags[part]), classIds));
    } finally {
      writer.close();
    }
    outputs.commit();
  } finally {
    outputs.discard();
  }
}

function writeFacts(file: File, classIds: Uint8Array): void {
  const encoder = (dim: number) => ({
    model: "planted",
    weightsSha256: "none",
    featureConfig: "{}",
    dim,
  });
  writeAttributes(file, {
    format: "emotion-service pairs",
    format_version: FORMAT_VERSION,
    created_by: CREATED_BY,
    match_by: "name",
    seed: Number(flags.seed),
    ...encoderAttributes(encoder(Number(flags.image)), "image_"),
    ...encoderAttributes(encoder(Number(flags.audio)), "audio_"),
  });
  const strings = (name: string, textOf: (row: number) => string): void =>
    writeStrings(
      file,
      name,
      Array.from(classIds, (_, row) => textOf(row)),
    );
  const speakerOf = (row: number): string =>
    `speaker${Number(flags.first_speaker) + (row % Number(flags.speakers))}`;
  strings("labels", (row) => EMOTIONS[classIds[row] ?? 0] ?? "");
  strings("groups", speakerOf);
  strings("paths", (row) => `${speakerOf(row)}/clip${String(row).padStart(8, "0")}.wav`);
}

function writeValues(
  file: File,
  part: "image" | "audio",
  columns: number,
  classIds: Uint8Array,
): void {
  const rows = classIds.length;
  const dataset = file.create_dataset({
    name: `${part}_embeddings`,
    data: new Float32Array(),
    shape: [0, columns],
    maxshape: [rows, columns],
    chunks: [Number(flags.chunk_rows), columns],
    dtype: "<f",
  });
  // The centres of the classes are the same whatever the seed: another seed gives other rows of the same kind.
  const centres = EMOTIONS.map((_, id) => {
    const random = createRandom(1000 * columns + id);
    return Float32Array.from({ length: TELLING }, () => DISTANCE * normal(random));
  });
  const random = createRandom(columns + Number(flags.seed));
  const noise = Float32Array.from({ length: NOISE + columns }, () => normal(random));
  for (let start = 0; start < rows; start += PART) {
    const stop = Math.min(rows, start + PART);
    const values = new Float32Array((stop - start) * columns);
    for (let row = start; row < stop; row += 1) {
      const from = Math.floor(random() * NOISE);
      const at = (row - start) * columns;
      values.set(noise.subarray(from, from + columns), at);
      for (const [i, value] of centres[classIds[row] ?? 0]?.subarray(0, columns).entries() ?? [])
        values[at + i] = (values[at + i] ?? 0) + value;
    }
    append(dataset, [start, stop], columns, values);
  }
}

function append(
  dataset: Dataset,
  [start, stop]: readonly [number, number],
  columns: number,
  values: Float32Array,
): void {
  dataset.resize([stop, columns]);
  dataset.write_slice(
    [
      [start, stop],
      [0, columns],
    ],
    values,
  );
}
