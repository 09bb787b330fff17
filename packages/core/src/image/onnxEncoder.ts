import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { dirname, join } from "node:path";
import { UserError, causeOf } from "../errors.ts";
import type { RgbImage } from "../face/image.ts";
import { readWholeFile } from "../interop/wholeFile.ts";
import { IMAGENET_DEVIATION, IMAGENET_MEAN } from "../model/resnet18.ts";
import { type OnnxInfo, readOnnxInfo } from "../onnx/readInfo.ts";
import {
  type OnnxRuntime,
  type Session,
  type SessionInput,
  createSession,
  loadOnnxRuntime,
} from "../onnx/session.ts";
import { pictureConfig } from "./pictureConfig.ts";
import { type PictureEncoder, type PictureEncoderOptions, packPictures } from "./pictureEncoder.ts";

/** Pixels a side where the file leaves the size open: what networks learnt on ImageNet take. */
const USUAL_SIDE = 224;
/** Values of the input at one run; more (1 GB as float32) is no picture, but a mistake in the file. */
const MOST_VALUES = 2 ** 28;
/** Pictures of the first run, which tells the size of an embedding: with one alone a lost batch would not show. */
const PROBES = 2;
/** Levels of a colour. */
const LEVELS = 256;

/** What an .onnx encoder takes. */
interface OnnxInput {
  readonly name: string;
  /** float32: scaled by ImageNet's mean and deviation. uint8: pixels as they are. */
  readonly type: "float32" | "uint8";
  /** [batch, 3, height, width], as PyTorch has it, or [batch, height, width, 3]. */
  readonly layout: "NCHW" | "NHWC";
  readonly height: number;
  readonly width: number;
  /** Pictures of a run, where the file fixes them. */
  readonly batch: number | undefined;
}

/** What a file does not say of its encoder; what it does say, a setting may not contradict. */
export interface OnnxSettings {
  /** Pixels a side, where the file leaves them open. */
  readonly inputSize?: number | undefined;
  /** (level / 255 - mean) / std, by channel; ImageNet's unless said. */
  readonly mean?: readonly number[] | undefined;
  readonly std?: readonly number[] | undefined;
  /** The name of the output that is the embedding; the first unless said. */
  readonly output?: string | undefined;
}

/** The settings that a feature_config of {@link loadOnnxEncoder} tells. */
export function onnxSettingsOf(featureConfig: string): OnnxSettings {
  const { normalisation, size, output } = JSON.parse(featureConfig) as {
    normalisation?: { mean?: number[]; std?: number[] } | string;
    size?: readonly number[];
    output?: string;
  };
  const scale = typeof normalisation === "object" ? normalisation : {};
  return { ...scale, output, inputSize: size?.[0] === size?.[1] ? size?.[0] : undefined };
}

/** An encoder that is ready to run; `file` is for the messages. */
interface Network {
  readonly file: string;
  readonly session: Session;
  readonly input: OnnxInput;
  readonly output: string;
  /** What a level of a channel becomes, [3, 256]. */
  readonly table: Float32Array;
}

interface LoadOptions extends Pick<PictureEncoderOptions, "device" | "faceCrop"> {
  readonly settings?: OnnxSettings | undefined;
}

/**
 * Loads a network of any .onnx file that takes a picture and gives a row of numbers. What it takes is read from the file, and what
 * that leaves open from the settings.
 * @throws UserError E_INPUT_MISSING, E_INPUT_BROKEN, E_LAYOUT for a file that is none; E_UNAVAILABLE without ONNX Runtime or device
 */
export async function loadOnnxEncoder(
  file: string,
  flag: string,
  { device, faceCrop, settings = {} }: LoadOptions,
): Promise<PictureEncoder> {
  const bytes = readWholeFile(file, flag);
  const info = readOnnxInfo(bytes, file);
  const input = inputOf(info, file, settings);
  const output = outputOf(info, file, settings.output);
  const { ort } = requireRuntime(file, flag);
  const session = await createSession(ort, file, { device });
  const table = tableOf(input, settings);
  const network: Network = { file, session, input, output, table };
  const { height, width } = input;
  const blank = { data: new Uint8Array(height * width * 3), width, height };
  const probed = await runInBatches(
    network,
    Array.from({ length: PROBES }, () => blank),
  );
  return {
    info: {
      model: "onnx",
      weightsSha256: await hashOf(bytes, file, info.externalFiles),
      featureConfig: pictureConfig(faceCrop, {
        normalisation: normalisationOf(input, settings),
        size: [height, width],
        ...(settings.output === undefined ? {} : { output }),
      }),
      dim: probed.length / PROBES, // whatever the file says of its output
    },
    input: { faceCrop, width, height },
    embed: (pictures) => runInBatches(network, pictures),
    dispose: () => session.dispose(),
  };
}

function requireRuntime(file: string, flag: string): { readonly ort: OnnxRuntime } {
  const runtime = loadOnnxRuntime();
  if (runtime.ok) return runtime;
  throw new UserError(
    "E_UNAVAILABLE",
    `${flag} ${file}: needs ONNX Runtime, which does not load (${runtime.cause})`,
    { hint: "install onnxruntime-node, which alone runs .onnx files" },
  );
}

/** SHA-256 over the file and, behind it, the files of its weights, which ONNX Runtime has seen to lie beside it. */
async function hashOf(
  bytes: Uint8Array,
  file: string,
  externalFiles: readonly string[],
): Promise<string> {
  const hash = createHash("sha256").update(bytes);
  for (const name of externalFiles)
    for await (const chunk of createReadStream(join(dirname(file), name)))
      hash.update(chunk as Buffer);
  return hash.digest("hex");
}

type Normalisation = Parameters<typeof pictureConfig>[1]["normalisation"];

function normalisationOf({ type }: OnnxInput, settings: OnnxSettings): Normalisation {
  if (type === "uint8") return "none";
  const { mean = IMAGENET_MEAN, std = IMAGENET_DEVIATION } = settings;
  return settings.mean === undefined && settings.std === undefined ? "imagenet" : { mean, std };
}

function tableOf({ type }: OnnxInput, settings: OnnxSettings): Float32Array {
  if (type === "uint8") return AS_THEY_ARE;
  const { mean = IMAGENET_MEAN, std = IMAGENET_DEVIATION } = settings;
  return levels((level, c) => (level / 255 - mean[c]!) / std[c]!);
}

function inputOf({ inputs }: OnnxInfo, file: string, settings: OnnxSettings): OnnxInput {
  const [input, ...others] = inputs;
  const { name = "", type = "other", dims = [] } = input ?? {};
  const layout = dims[1] === 3 ? "NCHW" : dims[3] === 3 ? "NHWC" : undefined;
  if (dims.length !== 4 || layout === undefined || others.length > 0)
    throw notPictures(file, inputs.map((each) => `${each.name} [${each.dims.join(",")}]`).join());
  if (type !== "float32" && type !== "uint8") throw notPictures(file, `${name} of type ${type}`);
  const [height, width] = layout === "NCHW" ? [dims[2], dims[3]] : [dims[1], dims[2]];
  const { inputSize, mean, std } = settings;
  if (type === "uint8" && (mean ?? std) !== undefined)
    throw new UserError(
      "E_LAYOUT",
      `${file}: takes pixels as they are (uint8), no --mean or --std`,
      {
        hint: "leave --mean and --std out",
      },
    );
  const sizes = {
    height: knownSize(height) ?? inputSize ?? USUAL_SIDE,
    width: knownSize(width) ?? inputSize ?? USUAL_SIDE,
    batch: knownSize(dims[0]),
  };
  if (inputSize !== undefined && (sizes.height !== inputSize || sizes.width !== inputSize))
    throw new UserError(
      "E_LAYOUT",
      `--input_size ${inputSize}: ${file} takes pictures of ${sizes.height} × ${sizes.width} alone`,
      { hint: "leave --input_size out" },
    );
  if ((sizes.batch ?? 1) * sizes.height * sizes.width * 3 > MOST_VALUES)
    throw notPictures(file, `${name} [${dims.join(",")}], more than ${MOST_VALUES} values`);
  return { name, type, layout, ...sizes };
}

/** A size that the file states; some exporters write 0 or -1 for one that is left open. */
function knownSize(size: number | string | undefined): number | undefined {
  return typeof size === "number" && size > 0 ? size : undefined;
}

function notPictures(file: string, found: string): UserError {
  return new UserError(
    "E_LAYOUT",
    `${file}: must take one picture input, [batch,3,height,width] or [batch,height,width,3], of float32 or uint8; takes ${found || "none"}`,
    { hint: "export the encoder alone, without other inputs" },
  );
}

/** The name of the output that was asked for, or of the first. */
function outputOf({ outputs }: OnnxInfo, file: string, wanted: string | undefined): string {
  const found = wanted === undefined ? outputs[0] : outputs.find(({ name }) => name === wanted);
  if (wanted !== undefined && found === undefined)
    throw new UserError(
      "E_LAYOUT",
      `--output ${wanted}: ${file} has the outputs ${outputs.map(({ name }) => name).join(", ")}`,
      { hint: "name one of these" },
    );
  const { name = "", type } = found ?? {};
  if (type === "float32") return name;
  throw new UserError(
    "E_LAYOUT",
    `${file}: its ${wanted === undefined ? "first output," : "output"} ${name}${wanted === undefined ? "," : ""} must be float32, is ${type}`,
    { hint: "export the encoder with its embedding, as float32, as the first output" },
  );
}

/** Runs as many pictures at once as the network takes; the last ones are filled up where it takes no fewer. */
async function runInBatches(
  network: Network,
  pictures: readonly RgbImage[],
): Promise<Float32Array> {
  const most = network.input.batch ?? pictures.length;
  let embeddings = new Float32Array();
  for (let start = 0; start < pictures.length; start += most) {
    const some = pictures.slice(start, start + most);
    const full = [...some, ...Array.from({ length: most - some.length }, () => some[0]!)];
    const rows = await runOnce(network, full);
    const dim = rows.length / most;
    if (start === 0) embeddings = new Float32Array(pictures.length * dim);
    embeddings.set(rows.subarray(0, some.length * dim), start * dim);
  }
  return embeddings;
}

/**
 * The network's output, a row a picture, whatever axes a row has.
 * @throws UserError E_LAYOUT where it does not run, or gives something else
 */
async function runOnce(
  { file, session, input, output, table }: Network,
  pictures: readonly RgbImage[],
): Promise<Float32Array> {
  const count = pictures.length;
  const inputs = { [input.name]: tensorOf(pictures, input, table) };
  const found = (
    await session.run(inputs, [output]).catch((error: unknown) => {
      throw new UserError("E_LAYOUT", `${file}: does not run on ${count} pictures at once (${causeOf(error)})`, { hint: BATCH_HINT, cause: error }); // prettier-ignore
    })
  )[output];
  if (found === undefined) throw new Error(`the network lacks the output '${output}'`);
  if (found.dims[0] === count && found.dims.length > 1) return found.data;
  throw new UserError(
    "E_LAYOUT",
    `${file}: its output ${output} must have a row for each picture, is [${found.dims.join(",")}] for ${count}`,
    { hint: BATCH_HINT },
  );
}

const BATCH_HINT = "export it for a batch of any size (in PyTorch, dynamic_shapes), or of one";

function tensorOf(
  pictures: readonly RgbImage[],
  { type, layout, height, width }: OnnxInput,
  table: Float32Array,
): SessionInput {
  const pixels = packPictures(pictures); // [B, H, W, 3]
  const values =
    type === "float32" ? new Float32Array(pixels.length) : new Uint8Array(pixels.length);
  const planes = layout === "NCHW";
  const area = height * width;
  for (let i = 0; i < pixels.length; i += 1) {
    const channel = i % 3;
    const pixel = (i - channel) / 3;
    const picture = Math.floor(pixel / area);
    const at = planes ? (picture * 3 + channel) * area + (pixel - picture * area) : i;
    values[at] = table[channel * LEVELS + (pixels[i] ?? 0)] ?? 0;
  }
  const size = planes ? [3, height, width] : [height, width, 3];
  return { data: values, dims: [pictures.length, ...size] };
}

const AS_THEY_ARE = levels((level) => level);

function levels(value: (level: number, channel: number) => number): Float32Array {
  return Float32Array.from({ length: 3 * LEVELS }, (_, i) =>
    value(i % LEVELS, Math.floor(i / LEVELS)),
  );
}
