import { UserError } from "../errors.ts";
import type { RgbImage } from "../face/image.ts";
import { IMAGENET_DEVIATION, IMAGENET_MEAN } from "../model/resnet18.ts";
import { type EncoderFile, inputsAsText, knownSize } from "../onnx/encoderFile.ts";
import type { SessionInput } from "../onnx/session.ts";
import type { StatedSettings } from "../onnx/statedSettings.ts";

/** Pixels a side where nothing tells the size: what networks learnt on ImageNet take. */
const USUAL_SIDE = 224;
/** Values of the input at one run; more (1 GB as float32) is no picture, but a mistake in the file. */
const MOST_VALUES = 2 ** 28;
/** Levels of a colour. */
const LEVELS = 256;

const PICTURE_LAYOUTS = ["nchw", "nhwc"] as const;
type Layout = (typeof PICTURE_LAYOUTS)[number];

/** What a file may not say of its encoder; what its input's shape does say, a setting may not contradict. */
export interface OnnxSettings {
  /** Pixels, where the shape leaves them open. */
  readonly size?: readonly [height: number, width: number] | undefined;
  /** (level / 255 - mean) / std, by channel, red first, or the same for all; ImageNet's for colours unless said. */
  readonly mean?: readonly number[] | undefined;
  readonly std?: readonly number[] | undefined;
  /** Of the axes: [batch, channels, height, width], as PyTorch has it, or with the channels last. */
  readonly layout?: Layout | undefined;
  /** The order of the channels, red first unless said. */
  readonly isBgr?: boolean | undefined;
  /** The name of the output that is the embedding; the first unless said. */
  readonly output?: string | undefined;
}

/** What an .onnx encoder takes, and how it is made. */
export interface OnnxInput {
  readonly name: string;
  /** float32: scaled by mean and deviation. uint8: pixels as they are. */
  readonly type: "float32" | "uint8";
  readonly layout: Layout;
  /** Whether the layout was told, as the shape leaves it open. */
  readonly isLayoutTold: boolean;
  readonly channels: 1 | 3;
  readonly isBgr: boolean;
  readonly height: number;
  readonly width: number;
  /** Pictures of a run, where the file fixes them. */
  readonly batch: number | undefined;
  /** Of pixels in [0, 1], by channel, red first; "none" for pixels as they are. */
  readonly normalisation:
    | "imagenet"
    | "none"
    | { readonly mean: readonly number[]; readonly std: readonly number[] };
}

/**
 * @param stated what the file says beside its shapes; undefined where the settings are whole
 * @throws UserError E_LAYOUT for a file that takes no pictures, or takes others
 */
export function pictureInputOf(
  file: EncoderFile,
  settings: OnnxSettings,
  stated: StatedSettings | undefined,
): OnnxInput {
  const [{ name, type, dims } = NO_INPUT, ...others] = file.info.inputs;
  if (dims.length !== 4 || others.length > 0) throw notPictures(file);
  if (type !== "float32" && type !== "uint8") throw notPictures(file);
  const told = settings.layout ?? toldLayout(stated);
  const { layout, channels } = axesOf(file, told);
  const [height, width] = layout === "nchw" ? [dims[2], dims[3]] : [dims[1], dims[2]];
  const size = sizeOf([knownSize(height), knownSize(width)], file, settings, stated);
  const batch = knownSize(dims[0]);
  if ((batch ?? 1) * size.height * size.width * channels > MOST_VALUES)
    throw new UserError("E_LAYOUT", `${file.path}: must take at most ${MOST_VALUES} values at a run, takes ${inputsAsText(file)}, more than ${MOST_VALUES} values`); // prettier-ignore
  return {
    name,
    type,
    layout,
    isLayoutTold: told !== undefined,
    channels,
    isBgr: settings.isBgr ?? stated?.isBgr() ?? false,
    batch,
    normalisation: normalisationOf(file, { type, channels }, settings, stated),
    ...size,
  };
}

const NO_INPUT = { name: "", type: "other", dims: [] } as const;

function toldLayout(stated: StatedSettings | undefined): Layout | undefined {
  const told = stated?.layout();
  return PICTURE_LAYOUTS.find((layout) => layout === told);
}

/** Where the channels are: where the shape has 1 or 3; where it has that at both places, or leaves both open, it must be told. */
function axesOf(
  file: EncoderFile,
  told: Layout | undefined,
): { readonly layout: Layout; readonly channels: 1 | 3 } {
  const { dims = [] } = file.info.inputs[0] ?? {};
  const channelsAt = { nchw: knownSize(dims[1]), nhwc: knownSize(dims[3]) };
  const isColour = (size: number | undefined): size is 1 | 3 => size === 1 || size === 3;
  const fitting = PICTURE_LAYOUTS.filter((layout) => isColour(channelsAt[layout]));
  const layout = told ?? (fitting.length === 1 ? fitting[0] : undefined);
  if (layout === undefined) {
    const isOpen = fitting.length > 1 || Object.values(channelsAt).includes(undefined);
    if (!isOpen) throw notPictures(file);
    throw new UserError(
      "E_LAYOUT",
      `${file.path}: its input ${inputsAsText(file)} does not tell where the channels are`,
      { hint: "say it: --layout nchw or --layout nhwc" },
    );
  }
  const channels = channelsAt[layout] ?? 3;
  if (isColour(channels)) return { layout, channels };
  throw new UserError(
    "E_LAYOUT",
    `--layout ${layout}: ${file.path} has ${channels} there, and not 3 or 1 channels, it takes ${inputsAsText(file)}`,
    { hint: "leave --layout out, or name the other one" },
  );
}

function sizeOf(
  [height, width]: readonly [number | undefined, number | undefined],
  { path }: EncoderFile,
  settings: OnnxSettings,
  stated: StatedSettings | undefined,
): { readonly height: number; readonly width: number } {
  const isOpen = height === undefined || width === undefined;
  const told = settings.size ?? (isOpen ? stated?.size() : undefined);
  const size = {
    height: height ?? told?.[0] ?? USUAL_SIDE,
    width: width ?? told?.[1] ?? USUAL_SIDE,
  };
  const { size: wanted } = settings;
  if (wanted === undefined || (wanted[0] === size.height && wanted[1] === size.width)) return size;
  throw new UserError(
    "E_LAYOUT",
    `--input_size ${wanted[0]}: ${path} takes pictures of ${size.height} × ${size.width} alone`,
    { hint: "leave --input_size out" },
  );
}

function normalisationOf(
  { path }: EncoderFile,
  { type, channels }: Pick<OnnxInput, "type" | "channels">,
  settings: OnnxSettings,
  stated: StatedSettings | undefined,
): OnnxInput["normalisation"] {
  if (type === "uint8") {
    if ((settings.mean ?? settings.std) === undefined) return "none";
    throw new UserError("E_LAYOUT", `${path}: takes pixels as they are (uint8), no --mean or --std`, { hint: "leave --mean and --std out" }); // prettier-ignore
  }
  const mean = settings.mean ?? stated?.mean();
  const std = settings.std ?? stated?.std();
  if (channels === 1 && (mean === undefined || std === undefined))
    throw new UserError(
      "E_LAYOUT",
      `${path}: takes grey pictures, for which no mean and deviation are usual, and says none`,
      {
        hint: "say what its pixels are: --mean 0 --std 1 for [0, 1], --mean 0.5 --std 0.5 for [-1, 1], --mean 0 --std 0.00392156862745098 for [0, 255]",
      },
    );
  if (mean === undefined && std === undefined) return "imagenet";
  const byChannel = (flag: string, values: readonly number[]): readonly number[] => {
    if (!values.every((value) => Number.isFinite(value) && (flag === "--mean" || value > 0)))
      throw new UserError("E_LAYOUT", `${path}: the preprocessor_config.json beside it has ${values.join(",")} for ${flag}`, { hint: `give ${flag}, which goes before it` }); // prettier-ignore
    if (values.length === channels) return values;
    if (values.length === 1) return Array.from({ length: channels }, () => values[0]!);
    throw new UserError("E_LAYOUT", `${flag}: ${path} takes ${channels === 1 ? "grey pictures, must be one number" : "colours, must be three numbers or one"}, has ${values.length}`, { hint: `give ${flag} so many` }); // prettier-ignore
  };
  return {
    mean: byChannel("--mean", mean ?? IMAGENET_MEAN),
    std: byChannel("--std", std ?? IMAGENET_DEVIATION),
  };
}

function notPictures(file: EncoderFile): UserError {
  return new UserError(
    "E_LAYOUT",
    `${file.path}: must take one picture input, [batch,3,height,width] or [batch,height,width,3] (1 for grey), of float32 or uint8; takes ${inputsAsText(file)}`,
    {
      hint: "export the encoder alone, without other inputs; one that takes sound is for --audio_dir or --audio_h5",
    },
  );
}

/** What a level of a channel becomes, [channels, 256]. */
export function levelTable({ normalisation, channels }: OnnxInput): Float32Array {
  const value = (level: number, c: number): number => {
    if (normalisation === "none") return level;
    const { mean, std } = normalisation === "imagenet" ? IMAGENET : normalisation;
    return (level / 255 - mean[c]!) / std[c]!;
  };
  return Float32Array.from({ length: channels * LEVELS }, (_, i) =>
    value(i % LEVELS, Math.floor(i / LEVELS)),
  );
}

const IMAGENET = { mean: IMAGENET_MEAN, std: IMAGENET_DEVIATION };

/** Pictures of the input's size as the network takes them; `table` is its {@link levelTable}. */
export function pictureTensor(
  pictures: readonly RgbImage[],
  { type, layout, channels, isBgr, height, width }: OnnxInput,
  table: Float32Array,
): SessionInput {
  const area = height * width;
  const length = pictures.length * area * channels;
  const values = type === "float32" ? new Float32Array(length) : new Uint8Array(length);
  const [channelStep, pixelStep] = layout === "nchw" ? [area, 1] : [1, channels];
  for (const [picture, { data }] of pictures.entries()) {
    const pixels = channels === 1 ? greyOf(data) : data; // [height, width, channels]
    for (let c = 0; c < channels; c += 1) {
      const place = isBgr ? channels - 1 - c : c;
      let at = picture * area * channels + place * channelStep;
      for (let from = c; from < pixels.length; from += channels) {
        values[at] = table[c * LEVELS + (pixels[from] ?? 0)] ?? 0;
        at += pixelStep;
      }
    }
  }
  const size = layout === "nchw" ? [channels, height, width] : [height, width, channels];
  return { data: values, dims: [pictures.length, ...size] };
}

/** Luma of ITU-R 601 in Pillow's integers, as its `convert("L")` has it: [pixels, 3] → [pixels] */
function greyOf(rgb: Uint8Array): Uint8Array {
  return Uint8Array.from({ length: rgb.length / 3 }, (_, i) => {
    const [red = 0, green = 0, blue = 0] = [rgb[3 * i], rgb[3 * i + 1], rgb[3 * i + 2]];
    return (red * 19_595 + green * 38_470 + blue * 7471 + 0x8000) >> 16;
  });
}
