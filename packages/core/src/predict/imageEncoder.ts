import { UserError } from "../errors.ts";
import { FACE_CROPS, type FaceCrop } from "../face/faceCrop.ts";
import type { PreparedFace } from "../face/faceEncoder.ts";
import type { RgbImage } from "../face/image.ts";
import { type EncoderInfo, requireSameEncoder } from "../hdf5/encoder.ts";
import { trainedOrShipped } from "../model/shippedModels.ts";
import type { PictureEncoder, PictureEncoderOptions } from "../image/pictureEncoder.ts";

/** What an encoder sees of a picture. */
export interface SeenFace {
  /** Its input. */
  readonly crop: RgbImage;
  /** Where that is in the upright picture, pixels; undefined where the encoder takes pictures whole. */
  readonly box: PreparedFace["box"] | undefined;
  /** The picture's sizes, as it was looked at; undefined with the box. */
  readonly width: number | undefined;
  readonly height: number | undefined;
}
/** Takes what an encoder sees. */
export type OnFace = (seen: SeenFace) => void;

/** What embeds pictures and the frames of videos, whatever its network. */
export interface ImageEncoder {
  readonly info: EncoderInfo;
  /** Whether it takes frames whole, whatever is in them. */
  readonly wholeFrames: boolean;
  /** The encoder's input from a picture file; undefined where no face is found. */
  file(path: string, onFace?: OnFace): Promise<RgbImage | undefined>;
  /** The same from a frame: its aligned face, or all of it where the encoder takes whole pictures. */
  readonly frame: (image: RgbImage, onFace?: OnFace) => Promise<RgbImage | undefined>;
  /** [inputs, dim] row-major */
  readonly embed: (inputs: readonly RgbImage[]) => Promise<Float32Array>;
  dispose(): Promise<void>;
}

/** How an encoder is found and loaded. */
export type ImageEncoderOptions = Pick<PictureEncoderOptions, "weights" | "env" | "onNotice">;

/** The encoders whose networks --weights may name. */
export const WEIGHTED_ENCODERS: readonly string[] = ["resnet18", "face_cnn", "onnx"];

/** What the messages call the two sides. */
export const THIS_INSTALL = { expected: "the model", actual: "this installation's encoder" };

/** Goes on with an encoder that is loaded; it is closed where that throws. */
export async function orClose<T>(
  encoder: { dispose(): Promise<void> },
  goOn: () => T | Promise<T>,
): Promise<T> {
  try {
    return await goOn();
  } catch (error) {
    await encoder.dispose();
    throw error;
  }
}

/**
 * Loads the encoder that made the embeddings which a model was trained on; undefined for one that predict does not know.
 * @throws UserError E_SETTINGS when this installation's is another: other weights, other settings
 */
export async function loadImageEncoder(
  info: EncoderInfo,
  options: ImageEncoderOptions,
): Promise<ImageEncoder | undefined> {
  if (info.model === "face" || info.model === "face_cnn") return faceEncoder(info, options);
  if (WEIGHTED_ENCODERS.includes(info.model)) return networkEncoder(info, options);
  return undefined;
}

/**
 * What an encoder is that the user named, as embed makes it without other flags.
 * @throws UserError when its weights cannot be had
 */
export async function chosenImageEncoder(
  name: "face" | "face_cnn" | "resnet18" | "onnx",
  options: ImageEncoderOptions,
): Promise<EncoderInfo> {
  if (name === "face" || name === "face_cnn") {
    const { describeFaceEncoder } = await import("../face/faceEncoder.ts");
    return describeFaceEncoder(
      "auto",
      name === "face" ? undefined : trainedOrShipped("face_cnn", options.weights, "--weights"),
    );
  }
  const loading = { ...options, faceCrop: "off", device: "auto" } as const;
  const encoder = name === "onnx" ? await loadOnnxFile(loading) : await loadResnet18File(loading);
  await encoder.dispose();
  return encoder.info;
}

async function loadResnet18File(options: PictureEncoderOptions): Promise<PictureEncoder> {
  const { loadResnet18Encoder } = await import("../image/resnet18Encoder.ts");
  return loadResnet18Encoder(options);
}

async function loadOnnxFile(options: PictureEncoderOptions): Promise<PictureEncoder> {
  const { loadOnnxEncoder } = await import("../image/onnxEncoder.ts");
  return loadOnnxEncoder(options.weights ?? "", "--weights", options);
}

async function faceEncoder(info: EncoderInfo, options: ImageEncoderOptions): Promise<ImageEncoder> {
  const crop = FACE_CROPS.find((rule) => rule === cropOf(info)) ?? "auto";
  const { describeFaceEncoder, loadFaceEncoder } = await import("../face/faceEncoder.ts");
  const { readImage } = await import("../face/image.ts");
  const trained =
    info.model === "face" ? undefined : trainedOrShipped("face_cnn", options.weights, "--weights");
  const found = describeFaceEncoder(crop, trained);
  if (options.weights === undefined) refuseOtherFaceCnn(info, found);
  const actual = trained === undefined ? THIS_INSTALL.actual : `${trained.flag} ${trained.folder}`;
  requireSameEncoder(info, found, { ...THIS_INSTALL, actual });
  const encoder = await loadFaceEncoder(crop, { trained, onNotice: options.onNotice });
  const prepare = async (image: RgbImage, rule: FaceCrop, onFace: OnFace | undefined) => {
    const [largest] = await encoder.prepareAll(image, 1, rule);
    const { width, height } = image;
    if (largest !== undefined) onFace?.({ crop: largest.face, box: largest.box, width, height });
    return largest?.face;
  };
  return {
    info,
    wholeFrames: false,
    file: async (path, onFace) => prepare(await readImage(path), crop, onFace),
    frame: (image, onFace) => prepare(image, "on", onFace),
    embed: (faces) => encoder.embed(faces),
    dispose: () => Promise.resolve(),
  };
}

/** The face_cnn that comes along may not be the one that was trained with. */
function refuseOtherFaceCnn({ model, weightsSha256 }: EncoderInfo, found: EncoderInfo): void {
  if (model !== "face_cnn" || weightsSha256 === found.weightsSha256) return;
  throw new UserError(
    "E_SETTINGS",
    `the model was trained on face_cnn embeddings with the weights of SHA-256 ${weightsSha256}`,
    { hint: "name the folder that embed had as --weights with --weights" },
  );
}

async function networkEncoder(
  info: EncoderInfo,
  options: ImageEncoderOptions,
): Promise<ImageEncoder> {
  const { loadPicturePreparer } = await import("../image/preparePicture.ts");
  const faceCrop = cropOf(info) === "on" ? "on" : "off";
  const load = info.model === "onnx" ? loadOnnx : loadResnet18;
  const encoder = await load(info, { ...options, faceCrop, device: "auto" });
  const { weights } = options;
  const actual = weights === undefined ? THIS_INSTALL.actual : `--weights ${weights}`;
  const preparer = await orClose(encoder, () => {
    requireSameEncoder(info, encoder.info, { ...THIS_INSTALL, actual });
    return loadPicturePreparer(encoder.input);
  });
  const shown = async (picture: Promise<RgbImage | undefined>, onFace: OnFace | undefined) => {
    const crop = await picture;
    if (crop !== undefined) onFace?.({ crop, box: undefined, width: undefined, height: undefined });
    return crop;
  };
  return {
    info,
    wholeFrames: faceCrop === "off",
    file: (path, onFace) => shown(preparer.file(path), onFace),
    frame: (image, onFace) => shown(preparer.image(image), onFace),
    embed: (pictures) => encoder.embed(pictures),
    dispose: () => encoder.dispose(),
  };
}

async function loadResnet18(
  info: EncoderInfo,
  options: PictureEncoderOptions,
): Promise<PictureEncoder> {
  const { loadResnet18Encoder, resnet18WeightsFor } = await import("../image/resnet18Encoder.ts");
  const weights = options.weights ?? resnet18WeightsFor(info.weightsSha256);
  if (weights === undefined)
    throw new UserError(
      "E_SETTINGS",
      `the model was trained on resnet18 with the weights of SHA-256 ${info.weightsSha256}, which are not the published ones`,
      { hint: "name the file that embed had with --weights" },
    );
  return loadResnet18Encoder({
    ...options,
    weights: weights === "published" ? undefined : weights,
  });
}

async function loadOnnx(
  info: EncoderInfo,
  options: PictureEncoderOptions,
): Promise<PictureEncoder> {
  const { loadOnnxEncoder } = await import("../image/onnxEncoder.ts");
  if (options.weights === undefined)
    throw new UserError(
      "E_SETTINGS",
      `the model was trained on embeddings of an .onnx file of SHA-256 ${info.weightsSha256}`,
      { hint: "name the file that embed had as --model with --weights" },
    );
  const { featureConfig } = info;
  return loadOnnxEncoder(options.weights, "--weights", { ...options, featureConfig });
}

function cropOf(info: EncoderInfo): FaceCrop | undefined {
  return (JSON.parse(info.featureConfig) as { face_crop?: FaceCrop }).face_crop;
}
