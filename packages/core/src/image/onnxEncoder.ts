import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { UserError } from "../errors.ts";
import type { RgbImage } from "../face/image.ts";
import { requireFile } from "../files/listFiles.ts";
import { stableJson } from "../hdf5/encoder.ts";
import { IMAGENET_DEVIATION, IMAGENET_MEAN } from "../model/resnet18.ts";
import { type OnnxInfo, readOnnxInfo } from "../onnx/readInfo.ts";
import {
  type Session,
  type SessionInput,
  createSession,
  loadOnnxRuntime,
} from "../onnx/session.ts";
import { type PictureEncoder, type PictureEncoderOptions, packPictures } from "./pictureEncoder.ts";

/** Pixels a side where the file leaves the size open: what networks learnt on ImageNet take. */
const USUAL_SIDE = 224;
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

/**
 * Loads a network of any .onnx file that takes a picture and gives a row of numbers, its first output. What it takes is read from
 * the file.
 * @throws UserError E_INPUT_MISSING, E_INPUT_BROKEN, E_LAYOUT for a file that is none; E_UNAVAILABLE without ONNX Runtime or device
 */
export async function loadOnnxEncoder(
  file: string,
  flag: string,
  { device, faceCrop }: Pick<PictureEncoderOptions, "device" | "faceCrop">,
): Promise<PictureEncoder> {
  requireFile(file, flag);
  const bytes = readFileSync(file);
  const info = readOnnxInfo(bytes, file);
  const input = inputOf(info, file);
  const runtime = loadOnnxRuntime();
  if (!runtime.ok)
    throw new UserError(
      "E_UNAVAILABLE",
      `${flag} ${file}: needs ONNX Runtime, which does not load (${runtime.cause})`,
      { hint: "install onnxruntime-node, or use --model face or resnet18" },
    );
  const session = await createSession(runtime.ort, file, { device });
  const output = info.outputs[0]?.name ?? "";
  const embed = (pictures: readonly RgbImage[]): Promise<Float32Array> =>
    runInBatches(session, input, output, pictures);
  const { height, width } = input;
  const blank = { data: new Uint8Array(height * width * 3), width, height };
  return {
    info: {
      model: "onnx",
      weightsSha256: createHash("sha256").update(bytes).digest("hex"),
      featureConfig: stableJson({
        face_crop: faceCrop,
        normalisation: input.type === "float32" ? "imagenet" : "none",
        resize: "pillow_bilinear",
        size: [height, width],
      }),
      dim: (await embed([blank])).length, // whatever the file says of its output
    },
    input: { faceCrop, width, height },
    embed,
    dispose: () => session.dispose(),
  };
}

function inputOf({ inputs }: OnnxInfo, file: string): OnnxInput {
  const [input, ...others] = inputs;
  const { name = "", type = "other", dims = [] } = input ?? {};
  const layout = dims[1] === 3 ? "NCHW" : dims[3] === 3 ? "NHWC" : undefined;
  if (dims.length !== 4 || layout === undefined || others.length > 0)
    throw notPictures(file, inputs.map((each) => `${each.name} [${each.dims.join(",")}]`).join());
  if (type !== "float32" && type !== "uint8") throw notPictures(file, `${name} of type ${type}`);
  const [height, width] = layout === "NCHW" ? [dims[2], dims[3]] : [dims[1], dims[2]];
  const side = (size: number | string | undefined): number =>
    typeof size === "number" ? size : USUAL_SIDE;
  const batch = typeof dims[0] === "number" ? dims[0] : undefined;
  return { name, type, layout, height: side(height), width: side(width), batch };
}

function notPictures(file: string, found: string): UserError {
  return new UserError(
    "E_LAYOUT",
    `${file}: must take one picture input, [batch,3,height,width] or [batch,height,width,3], of float32 or uint8; takes ${found || "none"}`,
    { hint: "export the encoder alone, without other inputs" },
  );
}

/** Runs as many pictures at once as the network takes; the last ones are filled up where it takes no fewer. */
async function runInBatches(
  session: Session,
  input: OnnxInput,
  output: string,
  pictures: readonly RgbImage[],
): Promise<Float32Array> {
  const most = input.batch ?? pictures.length;
  const rows: Float32Array[] = [];
  for (let start = 0; start < pictures.length; start += most) {
    const some = pictures.slice(start, start + most);
    const full = [...some, ...Array.from({ length: most - some.length }, () => some[0]!)];
    const found = (await session.run({ [input.name]: tensorOf(full, input) }))[output];
    if (found === undefined) throw new Error(`the network lacks the output '${output}'`);
    rows.push(found.data.slice(0, (found.data.length / most) * some.length));
  }
  return Float32Array.from(rows.flatMap((row) => [...row]));
}

function tensorOf(
  pictures: readonly RgbImage[],
  { type, layout, height, width }: OnnxInput,
): SessionInput {
  const pixels = packPictures(pictures); // [B, H, W, 3]
  const [values, table] =
    type === "float32"
      ? [new Float32Array(pixels.length), STANDARD]
      : [new Uint8Array(pixels.length), AS_THEY_ARE];
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

/** By channel and level, [3, 256]: (level / 255 - mean) / deviation; the level itself. */
const STANDARD = levels((level, c) => (level / 255 - IMAGENET_MEAN[c]!) / IMAGENET_DEVIATION[c]!);
const AS_THEY_ARE = levels((level) => level);

function levels(value: (level: number, channel: number) => number): Float32Array {
  return Float32Array.from({ length: 3 * LEVELS }, (_, i) =>
    value(i % LEVELS, Math.floor(i / LEVELS)),
  );
}
