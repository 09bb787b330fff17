import { dirname, join } from "node:path";
import type { TrainedAudio } from "@emotion-service/core/audio/audioEncoder";
import { SHIPPED_AUDIO_CNN } from "@emotion-service/core/audio/shippedAudioCnn";
import type { Device } from "@emotion-service/core/devices";
import { UserError } from "@emotion-service/core/errors";
import {
  AUDIO_EXTENSIONS,
  IMAGE_EXTENSIONS,
  extensionOf,
  listFiles,
  stemOf,
} from "@emotion-service/core/files/listFiles";
import { causeWithoutName, countBy, writeCsv } from "@emotion-service/core/files/manifest";
import { refuseReplacing, withOutputs } from "@emotion-service/core/files/outputs";
import {
  type EmbeddingRows,
  type Split,
  writeEmbeddings,
} from "@emotion-service/core/hdf5/embeddings";
import type {
  PictureEncoder,
  PictureEncoderOptions,
} from "@emotion-service/core/image/pictureEncoder";
import { embedPictures } from "./embedPictures.ts";
import {
  type Embedded,
  type EmbedRun,
  type EmbeddedRow,
  embedAudioFeatures,
  embedAudioFiles,
  embedImages,
} from "./embedRows.ts";
import { splitOf } from "./splitOf.ts";

export interface EmbedOptions extends EmbedRun {
  /** Exactly one of the three inputs is given. */
  readonly imagesDir: string | undefined;
  readonly audioH5: string | undefined;
  readonly audioDir: string | undefined;
  readonly outH5: string;
  /** auto, face, resnet18, an .onnx file, audio_stats, audio_cnn */
  readonly model: string;
  /** Of resnet18: a file, "random", or undefined for the published ones. Of audio_cnn: the folder of a trained one. */
  readonly weights: string | undefined;
  /** What resnet18 or an .onnx file runs on. */
  readonly device: Device;
  /** Where caches of weights lie is in the environment. */
  readonly env: PictureEncoderOptions["env"];
  readonly manifestName: string | undefined;
  readonly onNotice: (line: string) => void;
}

export interface EmbedSummary {
  readonly out_h5: string;
  readonly manifest: string;
  readonly model: string;
  readonly dim: number;
  readonly inputs: number;
  readonly written: number;
  readonly failed: number;
  /** cause → inputs */
  readonly causes: Readonly<Record<string, number>>;
  /** label → rows */
  readonly labels: Readonly<Record<string, number>>;
  /** group → rows */
  readonly groups: Readonly<Record<string, number>>;
}

/** Pictures or sound → embeddings and a manifest, both whole or neither. */
export async function embed(options: EmbedOptions): Promise<EmbedSummary> {
  const { files, run } = chooseInput(options);
  const manifest = join(
    dirname(options.outH5),
    options.manifestName ?? `${stemOf(options.outH5)}_manifest.csv`,
  );
  refuseReplacing([options.outH5, manifest], files);
  return withOutputs(async (outputs) => {
    const h5 = outputs.stage(options.outH5);
    const csv = outputs.stage(manifest);
    const embedded = await run();
    refuseNoRows(embedded.rows);
    const splits = groupRows(embedded);
    await writeEmbeddings(h5, { encoder: embedded.encoder, splits });
    writeManifest(csv, embedded.rows);
    return summarise(embedded, splits, options.outH5, manifest);
  });
}

/** The files to read, and the work to do on them. */
interface Input {
  readonly files: readonly string[];
  readonly run: () => Promise<Embedded>;
}

/** Checks the input and the model against each other. */
function chooseInput(options: EmbedOptions): Input {
  const { imagesDir, audioH5, audioDir } = options;
  const given = [imagesDir, audioH5, audioDir].filter((input) => input !== undefined);
  if (given.length !== 1)
    throw new UserError(
      "E_FLAG",
      `exactly one of --images_dir, --audio_h5 and --audio_dir is needed, got ${given.length}`,
      { hint: "run it once for the pictures and once for the sound" },
    );
  if (imagesDir !== undefined) {
    const model = isOnnx(options.model)
      ? "onnx"
      : chooseModel(options.model, ["face", "resnet18"], "pictures");
    refuseNetworkFlags(options, model);
    const paths = listFiles(imagesDir, IMAGE_EXTENSIONS, "--images_dir");
    const run = model === "face" ? embedImages : embedByNetwork;
    return {
      files: [
        ...(model === "onnx" ? [options.model] : []),
        ...paths.map((path) => join(imagesDir, path)),
      ],
      run: () => run(imagesDir, paths, options),
    };
  }
  const model = chooseModel(options.model, ["audio_stats", "audio_cnn"], "sound");
  refuseNetworkFlags(options, model);
  const trained = model === "audio_cnn" ? trainedAudio(options.weights) : undefined;
  if (audioDir !== undefined) {
    const paths = listFiles(audioDir, AUDIO_EXTENSIONS, "--audio_dir");
    return {
      files: paths.map((path) => join(audioDir, path)),
      run: () => embedAudioFiles(audioDir, paths, trained, options),
    };
  }
  const file = audioH5 ?? "";
  return { files: [file], run: () => embedAudioFeatures(file, trained, options) };
}

function isOnnx(model: string): boolean {
  return extensionOf(model) === ".onnx";
}

/** The trained audio_cnn that was named, or the one that comes along. */
function trainedAudio(weights: string | undefined): TrainedAudio {
  return weights === undefined
    ? { folder: SHIPPED_AUDIO_CNN, flag: "the model that comes along," }
    : { folder: weights, flag: "--weights" };
}

/** The model asked for, of those for this input; auto is the first. */
function chooseModel(model: string, models: readonly [string, ...string[]], input: string): string {
  if (model === "auto") return models[0];
  if (models.includes(model)) return model;
  throw new UserError(
    "E_FLAG",
    `--model ${model}: must be ${models.join(" or ")} (or auto) for ${input}${input === "pictures" ? ", or an .onnx file" : ""}`,
  );
}

/** A flag that a model does not heed must not look as if it did. */
function refuseNetworkFlags({ weights, device }: EmbedOptions, model: string): void {
  const refused = (flag: string, models: string): UserError =>
    new UserError("E_FLAG", `${flag}: is for --model ${models}, the model is ${model}`, {
      hint: "leave the flag out, or name that model",
    });
  if (weights !== undefined && model !== "resnet18" && model !== "audio_cnn")
    throw refused("--weights", "resnet18 or audio_cnn");
  const takesDevice = model === "resnet18" || model === "onnx";
  if (device !== "auto" && device !== "cpu" && !takesDevice)
    throw refused(`--device ${device}`, "resnet18 or an .onnx file");
}

async function embedByNetwork(
  folder: string,
  paths: readonly string[],
  options: EmbedOptions,
): Promise<Embedded> {
  const faceCrop = options.faceCrop === "on" ? "on" : "off"; // auto: as Python services do
  const encoder = await loadNetwork({ ...options, faceCrop });
  try {
    return await embedPictures(encoder, folder, paths, options);
  } finally {
    await encoder.dispose();
  }
}

async function loadNetwork(
  options: PictureEncoderOptions & { readonly model: string },
): Promise<PictureEncoder> {
  if (isOnnx(options.model)) {
    const { loadOnnxEncoder } = await import("@emotion-service/core/image/onnxEncoder");
    return loadOnnxEncoder(options.model, "--model", options);
  }
  const { loadResnet18Encoder } = await import("@emotion-service/core/image/resnet18Encoder");
  return loadResnet18Encoder(options);
}

function refuseNoRows(rows: readonly EmbeddedRow[]): void {
  if (rows.some(({ embedding }) => embedding !== undefined)) return;
  const causes = countBy(rows.map(genericCause)).map(([cause, count]) => `${count} × ${cause}`);
  throw new UserError("E_INPUT_BROKEN", `none of the ${rows.length} inputs gave an embedding`, {
    hint: causes.join("; "),
  });
}

function genericCause({ cause, path }: EmbeddedRow): string {
  return causeWithoutName(cause, path);
}

function groupRows({ encoder, rows }: Embedded): Map<Split, EmbeddingRows> {
  const whole = rows.filter(({ embedding }) => embedding !== undefined);
  const split = splitOf(whole.map(({ path }) => path));
  const splits = new Map<Split, EmbeddingRows>();
  for (const name of ["all", "train", "val", "test"] as const) {
    const members = whole.filter(({ path }) => split(path) === name);
    if (members.length === 0) continue;
    const data = new Float32Array(members.length * encoder.dim);
    for (const [i, { embedding }] of members.entries())
      if (embedding !== undefined) data.set(embedding, i * encoder.dim);
    splits.set(name, {
      embeddings: { data, rows: members.length, columns: encoder.dim },
      labels: members.map(({ label }) => label),
      paths: members.map(({ path }) => path),
    });
  }
  return splits;
}

function writeManifest(path: string, rows: readonly EmbeddedRow[]): void {
  writeCsv(
    path,
    ["path", "label", "status", "cause"],
    rows.map((row) => ({
      path: row.path,
      label: row.label,
      status: row.embedding === undefined ? "failed" : "ok",
      cause: genericCause(row),
    })),
  );
}

function summarise(
  { encoder, rows }: Embedded,
  splits: ReadonlyMap<Split, EmbeddingRows>,
  outH5: string,
  manifest: string,
): EmbedSummary {
  const failed = rows.filter(({ embedding }) => embedding === undefined);
  const written = rows.filter(({ embedding }) => embedding !== undefined);
  return {
    out_h5: outH5,
    manifest,
    model: encoder.model,
    dim: encoder.dim,
    inputs: rows.length,
    written: written.length,
    failed: failed.length,
    causes: Object.fromEntries(countBy(failed.map(genericCause))),
    labels: Object.fromEntries(countBy(written.map(({ label }) => label))),
    groups: Object.fromEntries([...splits].map(([name, group]) => [name, group.paths.length])),
  };
}
