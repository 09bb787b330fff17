import { type EncoderInfo, stableJson } from "../hdf5/encoder.ts";
import { alignFace } from "./alignFace.ts";
import type { FaceCrop } from "./faceCrop.ts";
import type { FaceEngine, FaceEngineOptions } from "./faceEngine.ts";
import { EXPRESSION_FEATURE_DIM } from "./faceExpression.ts";
import { FACE_INPUT_SIZE } from "./faceFeatureExtractor.ts";
import { eyesOf } from "./faceLandmarks.ts";
import { type FaceNets, loadFaceNets } from "./faceNets.ts";
import { type RgbImage, toSquare } from "./image.ts";
import { faceApiVersion, faceWeightsSha256 } from "./weights.ts";

const ALIGNED_UP_TO = 128;
/** In fewer pixels a side nobody could tell a face. */
const LEAST_SIDE = 16;
const MAYBE_ALIGNED_UP_TO = 256;
/** A face wider than this part of the picture needs no crop. */
const FILLS_PICTURE = 0.6;

export interface FaceEncoder {
  readonly info: EncoderInfo;
  /** What runs its networks: the numbers are the same within float32's rounding, the speed is not. */
  readonly engine: FaceEngine;
  /** The aligned face of a picture, [112, 112, 3]; undefined where none is found (a normal case). */
  prepare(image: RgbImage, crop?: FaceCrop): Promise<RgbImage | undefined>;
  /** One embedding a face, [faces, 256] row-major. */
  embed(faces: readonly RgbImage[]): Promise<Float32Array>;
}

/** What the `face` model is, for files and models. */
export function faceEncoderInfo(crop: FaceCrop): EncoderInfo {
  return {
    model: "face",
    weightsSha256: faceWeightsSha256(),
    featureConfig: stableJson({
      face_crop: crop,
      face_size: FACE_INPUT_SIZE,
      package: `@vladmandic/face-api ${faceApiVersion()}`,
    }),
    dim: EXPRESSION_FEATURE_DIM,
  };
}

/** Loads the `face` model: detection, landmarks, alignment and the feature of a pretrained expression network. */
export async function loadFaceEncoder(
  crop: FaceCrop,
  options?: FaceEngineOptions,
): Promise<FaceEncoder> {
  const nets = await loadFaceNets(options);
  return {
    info: faceEncoderInfo(crop),
    engine: nets.engine,
    prepare: (image, rule = crop) => prepareFace(nets, image, rule),
    embed: (faces) => nets.expressionFeatures(faces),
  };
}

async function prepareFace(
  nets: FaceNets,
  image: RgbImage,
  crop: FaceCrop,
): Promise<RgbImage | undefined> {
  const side = Math.max(image.width, image.height);
  const square = image.width === image.height;
  if (Math.min(image.width, image.height) < LEAST_SIDE) return undefined;
  if (crop === "off" || (crop === "auto" && square && side <= ALIGNED_UP_TO))
    return toSquare(image, FACE_INPUT_SIZE);
  const maybeAligned = crop === "auto" && square && side <= MAYBE_ALIGNED_UP_TO;
  const face = await nets.findFace(image);
  if (maybeAligned && (face === undefined || face.box.width > FILLS_PICTURE * side))
    return toSquare(image, FACE_INPUT_SIZE);
  if (face === undefined) return undefined;
  const { leftEye, rightEye } = eyesOf(face.landmarks);
  return alignFace(image, leftEye, rightEye, FACE_INPUT_SIZE);
}
