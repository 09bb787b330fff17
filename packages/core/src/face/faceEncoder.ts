import { type EncoderInfo, stableJson } from "../hdf5/encoder.ts";
import { FACE_EMBEDDING, FACE_EMBEDDING_DIM, faceCnnGraph } from "../model/faceCnn.ts";
import { FACE_CNN, type FaceCheckpoint, readFaceCheckpoint } from "../model/faceCheckpoint.ts";
import type { TrainedModel } from "../model/modelFolder.ts";
import { hashOfWeights } from "../model/weightsHash.ts";
import { alignFace } from "./alignFace.ts";
import type { FaceCrop } from "./faceCrop.ts";
import {
  type FaceEngine,
  type FaceEngineOptions,
  type LoadedFaceEngine,
  loadFaceEngine,
} from "./faceEngine.ts";
import { EXPRESSION_FEATURE_DIM } from "./faceExpression.ts";
import { FACE_INPUT_SIZE } from "./faceFeatureExtractor.ts";
import type { FaceBox } from "./tinyFaceDetector.ts";
import { eyesOf } from "./faceLandmarks.ts";
import { type FaceNets, createFaceNets } from "./faceNets.ts";
import { type RgbImage, mirrored, toSquare } from "./image.ts";
import { facePackage, faceWeightsSha256 } from "./weights.ts";

const ALIGNED_UP_TO = 128;
/** In fewer pixels a side nobody could tell a face. */
const LEAST_SIDE = 16;
const MAYBE_ALIGNED_UP_TO = 256;
/** A face wider than this part of the picture needs no crop. */
const FILLS_PICTURE = 0.6;

/** An aligned face, [112, 112, 3], and where in the picture it was found; that of an aligned picture is all of it. */
export interface PreparedFace {
  readonly face: RgbImage;
  readonly box: Omit<FaceBox, "score">;
}

export interface FaceEncoder {
  readonly info: EncoderInfo;
  /** What runs its networks: the numbers are the same within float32's rounding, the speed is not. */
  readonly engine: FaceEngine;
  /** The aligned face of a picture, [112, 112, 3], the largest one; undefined where none is found (a normal case). */
  prepare(image: RgbImage, crop?: FaceCrop): Promise<RgbImage | undefined>;
  /** The faces of a picture likewise, the largest first, and where they are; `most` of them, all unless said. */
  prepareAll(image: RgbImage, most?: number, crop?: FaceCrop): Promise<PreparedFace[]>;
  /** One embedding a face, [faces, dim] row-major. */
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
      package: facePackage(),
    }),
    dim: EXPRESSION_FEATURE_DIM,
  };
}

export interface FaceEncoderOptions extends FaceEngineOptions {
  /** A trained face_cnn; the `face` model unless said. */
  readonly trained?: TrainedModel | undefined;
}

/**
 * Loads what embeds faces: detection, landmarks and alignment, then the feature of a pretrained expression network (`face`), or what a
 * trained `face_cnn` makes of that network's maps.
 * @throws UserError when the folder of the trained one is missing, damaged, or another kind of model
 */
export async function loadFaceEncoder(
  crop: FaceCrop,
  { trained, ...options }: FaceEncoderOptions = {},
): Promise<FaceEncoder> {
  const checkpoint = trained && readFaceCheckpoint(trained.folder, trained.flag);
  const engine = await loadFaceEngine(options);
  const nets = createFaceNets(engine);
  return {
    info: checkpoint === undefined ? faceEncoderInfo(crop) : faceCnnInfo(crop, checkpoint),
    engine: engine.name,
    prepare: async (image, rule = crop) => (await prepareFaces(nets, image, rule, 1))[0]?.face,
    prepareAll: (image, most = Infinity, rule = crop) => prepareFaces(nets, image, rule, most),
    embed:
      checkpoint === undefined
        ? (faces) => nets.expressionFeatures(faces)
        : await createFaceCnnEmbedder(engine, nets, checkpoint),
  };
}

/**
 * What embeds faces, for files and models, without loading its networks.
 * @throws UserError as {@link loadFaceEncoder}
 */
export function describeFaceEncoder(
  crop: FaceCrop,
  trained: TrainedModel | undefined,
): EncoderInfo {
  if (trained === undefined) return faceEncoderInfo(crop);
  return faceCnnInfo(crop, readFaceCheckpoint(trained.folder, trained.flag));
}

/** What a trained face_cnn is, for files and models. */
export function faceCnnInfo(crop: FaceCrop, { classes, weights }: FaceCheckpoint): EncoderInfo {
  return {
    model: FACE_CNN,
    weightsSha256: hashOfWeights(faceCnnGraph(classes.length), weights),
    featureConfig: faceEncoderInfo(crop).featureConfig,
    dim: FACE_EMBEDDING_DIM,
  };
}

/** The mean of the embeddings of each face and of its mirror image. */
async function createFaceCnnEmbedder(
  engine: LoadedFaceEngine,
  nets: FaceNets,
  { classes, weights }: FaceCheckpoint,
): Promise<FaceEncoder["embed"]> {
  const graph = { ...faceCnnGraph(classes.length), output: FACE_EMBEDDING };
  const run = await engine.create(graph, weights);
  return async (faces) => {
    if (faces.length === 0) return new Float32Array(0);
    const both = [...faces, ...faces.map(mirrored)];
    const rows = await run(await nets.expressionMaps(both), both.length);
    const half = rows.length / 2;
    return rows.subarray(0, half).map((value, i) => (value + (rows[half + i] ?? 0)) / 2);
  };
}

async function prepareFaces(
  nets: FaceNets,
  image: RgbImage,
  crop: FaceCrop,
  most: number,
): Promise<PreparedFace[]> {
  const { width, height } = image;
  const side = Math.max(width, height);
  const square = width === height;
  const whole = async (): Promise<PreparedFace[]> => [
    { face: await toSquare(image, FACE_INPUT_SIZE), box: { x: 0, y: 0, width, height } },
  ];
  if (Math.min(width, height) < LEAST_SIDE) return [];
  if (crop === "off" || (crop === "auto" && square && side <= ALIGNED_UP_TO)) return whole();
  const maybeAligned = crop === "auto" && square && side <= MAYBE_ALIGNED_UP_TO;
  const faces = await nets.findFaces(image, most);
  if (maybeAligned && (faces[0] === undefined || faces[0].box.width > FILLS_PICTURE * side))
    return whole();
  return faces.map(({ box, landmarks }) => {
    const { leftEye, rightEye } = eyesOf(landmarks);
    return { face: alignFace(image, leftEye, rightEye, FACE_INPUT_SIZE), box };
  });
}
