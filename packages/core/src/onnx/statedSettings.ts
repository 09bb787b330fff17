import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { UserError, causeOf } from "../errors.ts";
import type { EncoderFile } from "./encoderFile.ts";

/** What Hugging Face's exporters write beside an .onnx file. */
const BESIDE = "preprocessor_config.json";

/**
 * What an .onnx file states of how its input is made: in its metadata, else in a preprocessor_config.json beside it. Each is
 * read when it is asked for, and undefined where nothing is stated; it throws a UserError E_LAYOUT for what cannot be read.
 */
export interface StatedSettings {
  /** [height, width], pixels */
  size(): readonly [height: number, width: number] | undefined;
  /** Of pixels in [0, 1], red first; one number for all channels alike. */
  mean(): readonly number[] | undefined;
  std(): readonly number[] | undefined;
  /** The same of log-mel, dB. */
  decibels(which: "mean" | "std"): number | undefined;
  layout(): string | undefined;
  /** Whether blue comes first. */
  isBgr(): boolean | undefined;
  sampleRateHz(): number | undefined;
  /** Whether a waveform is brought to zero mean and unit variance. */
  doNormalize(): boolean | undefined;
  /** The settings of its log-mel, JSON. */
  featureConfig(): string | undefined;
  /** Who makes its features, where these are no plain waveform. */
  featureExtractor(): string | undefined;
  /** Where what was asked for so far was found. */
  readonly sources: ReadonlySet<string>;
}

/** Mean and deviation, of pixels in [0, 1], that give the ranges of ONNX's Image.NominalPixelRange. */
const PIXEL_RANGES: Readonly<Record<string, { readonly mean: number; readonly std: number }>> = {
  nominalrange_0_255: { mean: 0, std: 1 / 255 },
  normalized_0_1: { mean: 0, std: 1 },
  normalized_1_1: { mean: 0.5, std: 0.5 },
  nominalrange_16_235: { mean: -16 / 219, std: 1 / 219 },
};
const PIXEL_FORMATS: Readonly<Record<string, boolean>> = { gray8: false, rgb8: false, bgr8: true };

export function statedSettings(file: EncoderFile): StatedSettings {
  const beside = readBeside(file.path);
  const { read, sources } = createReader(file);
  const scale = (which: "mean" | "std"): readonly number[] | undefined =>
    read([which], `--${which}`, SCALE_RULES[which], (text) => parseScale(text, which)) ?? // prettier-ignore
    read(["Image.NominalPixelRange"], "--mean and --std", "one that ONNX names", (text) => rangeOf(text, which), scaleBeside(beside, which)); // prettier-ignore
  return {
    size: () =>
      read(
        ["input_size"],
        "--input_size",
        "pixels: a side, or height, width",
        parseSize,
        sizeBeside(beside),
      ),
    mean: () => scale("mean"),
    std: () => scale("std"),
    decibels: (which) =>
      read([which], `--${which}`, "one number, dB", (text) => parseDecibels(text, which)),
    layout: () => read(["layout"], "--layout", "nchw, nhwc, nct or ntc", parseLayout),
    isBgr: () =>
      read(
        ["Image.BitmapPixelFormat"],
        "a file that says so",
        "Gray8, Rgb8 or Bgr8",
        (text) => PIXEL_FORMATS[text.toLowerCase()],
        isFlipped(beside) ? true : undefined,
      ),
    sampleRateHz: () =>
      read(
        ["sampling_rate", "sample_rate"],
        "--sr",
        "hertz, from 1000 to 384000",
        parseRate,
        parseRate(String(beside["sampling_rate"])),
      ),
    doNormalize: () =>
      read(
        ["do_normalize"],
        "--do_normalize",
        "true or false",
        parseBoolean,
        parseBoolean(String(beside["do_normalize"])),
      ),
    featureConfig: () => read(["feature_config"], "", "", (text) => text),
    featureExtractor: () => {
      const name = beside["feature_extractor_type"];
      return typeof name === "string" ? name : undefined;
    },
    sources,
  };
}

/**
 * What reads a value of the metadata by the first of its keys that is there; else it is what stands in the file beside it. `flag` and
 * `rule` are for the message where the text is not understood.
 */
function createReader({ path, info }: EncoderFile) {
  const metadata = new Map(
    Object.entries(info.metadata).map(([key, value]) => [key.toLowerCase(), value]),
  );
  const sources = new Set<string>();
  const read = <T>(
    keys: readonly string[],
    flag: string,
    rule: string,
    parse: (text: string) => T | undefined,
    other?: T,
  ): T | undefined => {
    const key = keys.find((name) => metadata.has(name.toLowerCase()));
    if (key === undefined) {
      if (other !== undefined) sources.add(BESIDE);
      return other;
    }
    const text = metadata.get(key.toLowerCase()) ?? "";
    const value = parse(text);
    sources.add("metadata");
    if (value !== undefined) return value;
    throw new UserError("E_LAYOUT", `${path}: its metadata '${key}' must be ${rule}, is '${text}'`, { hint: `give ${flag}, which goes before it` }); // prettier-ignore
  };
  return { read, sources };
}

const SCALE_RULES = {
  mean: "one number or three of [0, 1], of pixels in [0, 1]",
  std: "one number or three above 0, up to 1, of pixels in [0, 1]",
};

/** "[0.5, 0.5, 0.5]", "(1, 3)", "0.5 0.5" → numbers */
function parseNumbers(text: string, ...counts: readonly number[]): number[] | undefined {
  const parts = text.replaceAll(/[()[\]]/g, " ").split(/[\s,]+/).filter((part) => part !== ""); // prettier-ignore
  const numbers = parts.map(Number);
  return counts.includes(numbers.length) && numbers.every(Number.isFinite) ? numbers : undefined;
}

/** Other units than pixels of [0, 1] would not show otherwise. */
function parseScale(text: string, which: "mean" | "std"): number[] | undefined {
  const isOne = (value: number): boolean =>
    value <= 1 && (which === "mean" ? value >= 0 : value > 0);
  const numbers = parseNumbers(text, 1, 3);
  return numbers?.every(isOne) === true ? numbers : undefined;
}

function parseDecibels(text: string, which: "mean" | "std"): number | undefined {
  const value = parseNumbers(text, 1)?.[0];
  return value !== undefined && (which === "mean" || value > 0) ? value : undefined;
}

function rangeOf(text: string, which: "mean" | "std"): readonly number[] | undefined {
  const range = PIXEL_RANGES[text.toLowerCase()];
  return range && [range[which]];
}

function parseRate(text: string): number | undefined {
  const rate = Number(text);
  return Number.isInteger(rate) && rate >= 1000 && rate <= 384_000 ? rate : undefined;
}

function parseBoolean(text: string): boolean | undefined {
  return { true: true, "1": true, false: false, "0": false }[text.toLowerCase()];
}

/** "224", "224,112" or, as timm has it, "3,224,112": with the channels first. */
function parseSize(text: string): readonly [number, number] | undefined {
  const numbers = parseNumbers(text, 1, 2, 3);
  if (numbers?.every((size) => Number.isInteger(size) && size > 0) !== true) return undefined;
  const [height = 0, width = height] = numbers.length === 3 ? numbers.slice(1) : numbers;
  return [height, width];
}

function parseLayout(text: string): string | undefined {
  const layout = text.toLowerCase();
  return ["nchw", "nhwc", "nct", "ntc"].includes(layout) ? layout : undefined;
}

type Beside = Readonly<Record<string, unknown>>;

function readBeside(file: string): Beside {
  const path = join(dirname(file), BESIDE);
  if (!existsSync(path)) return {};
  try {
    return (JSON.parse(readFileSync(path, "utf8")) ?? {}) as Beside;
  } catch (error) {
    throw new UserError("E_INPUT_BROKEN", `${path}: is no JSON (${causeOf(error)})`, {
      hint: `${file} lies beside it, whose settings it should tell; move one of them`,
    });
  }
}

/** Whether the processor puts blue first; those that do so (MobileViT's) do not normalise. */
function isFlipped(beside: Beside): boolean {
  return beside["do_flip_channel_order"] === true;
}

/** image_mean and image_std are of levels times rescale_factor, 1 / 255 as a rule. */
function scaleBeside(beside: Beside, which: "mean" | "std"): readonly number[] | undefined {
  const { image_mean: mean, do_rescale: isRescaled = true, rescale_factor: factor = 1 / 255 } = beside; // prettier-ignore
  const isPlain = beside["do_normalize"] === false || (mean === undefined && isFlipped(beside));
  if (mean === undefined && !isPlain) return undefined;
  const unit = 255 * (isRescaled === true ? Number(factor) : 1);
  const given = isPlain ? { mean: 0, std: 1 }[which] : beside[`image_${which}`];
  const values = (Array.isArray(given) ? given : [given]).map((value) => Number(value) / unit);
  if (!isFlipped(beside) || values.every((value) => value === values[0])) return values;
  throw new UserError("E_LAYOUT", `the ${BESIDE} beside the .onnx file: its do_flip_channel_order and an image_${which} of several numbers do not tell which of them is red's`, { hint: "give --mean and --std, red first" }); // prettier-ignore
}

/** The size of what goes in: of the crop where there is one. */
function sizeBeside(beside: Beside): readonly [number, number] | undefined {
  const size = beside["do_center_crop"] === true ? beside["crop_size"] : beside["size"];
  const { height, width } = (typeof size === "number" ? { height: size, width: size } : (size ?? {})) as Beside; // prettier-ignore
  return parseSize(`${String(height)},${String(width)}`);
}
