import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import type { Tensor4D } from "@tensorflow/tfjs";
import { type Tf, loadTensorFlow } from "../model/backend.ts";
import type { Point } from "./alignFace.ts";
import type { RgbImage } from "./image.ts";

type FaceApi = typeof import("@vladmandic/face-api");

const require = createRequire(import.meta.url);
const PACKAGE = "@vladmandic/face-api";
const MODEL_FILES = [
  "tiny_face_detector_model.bin",
  "face_landmark_68_model.bin",
  "face_expression_model.bin",
];
/** Pixels of the detector's square input, and the least score of a face. */
const DETECTOR_SIZE = 416;
const DETECTOR_SCORE = 0.5;

/** A face found in a picture. */
export interface FoundFace {
  /** Width of the face's box, pixels. */
  readonly width: number;
  readonly leftEye: Point;
  readonly rightEye: Point;
}

export interface FaceNets {
  /** The largest face of a picture, or undefined. */
  findFace(image: RgbImage): Promise<FoundFace | undefined>;
  /**
   * The bottleneck of the facial-expression network for a batch of aligned faces.
   * @param faces each [112, 112, 3]
   * @returns [faces, 256] row-major
   */
  expressionFeatures(faces: readonly RgbImage[]): Float32Array;
}

/** "1.7.15" */
export function faceApiVersion(): string {
  return (require(`${PACKAGE}/package.json`) as { version: string }).version;
}

function modelFolder(): string {
  return join(dirname(require.resolve(`${PACKAGE}/package.json`)), "model");
}

/** SHA-256 over the weights of the three networks, hex. */
export function faceWeightsSha256(): string {
  const hash = createHash("sha256");
  for (const file of MODEL_FILES) hash.update(readFileSync(join(modelFolder(), file)));
  return hash.digest("hex");
}

/** Loads face-api's detector, landmarks and expression network; they come inside its npm package. */
export async function loadFaceNets(): Promise<FaceNets> {
  const { tf } = await loadTensorFlow("wasm");
  const faceApi = require(`${PACKAGE}/dist/face-api.node-wasm.js`) as FaceApi;
  const { tinyFaceDetector, faceLandmark68Net, faceExpressionNet } = faceApi.nets;
  const folder = modelFolder();
  await tinyFaceDetector.loadFromDisk(folder);
  await faceLandmark68Net.loadFromDisk(folder);
  await faceExpressionNet.loadFromDisk(folder);
  return {
    findFace: (image) => findFace(tf, faceApi, image),
    expressionFeatures: (faces) => expressionFeatures(tf, faceApi, faces),
  };
}

async function findFace(tf: Tf, faceApi: FaceApi, image: RgbImage): Promise<FoundFace | undefined> {
  const picture = tf.tensor3d(Int32Array.from(image.data), [image.height, image.width, 3], "int32");
  try {
    const options = new faceApi.TinyFaceDetectorOptions({
      inputSize: DETECTOR_SIZE,
      scoreThreshold: DETECTOR_SCORE,
    });
    const faces = await faceApi.detectAllFaces(picture, options).withFaceLandmarks();
    const largest = faces.sort((a, b) => b.detection.box.area - a.detection.box.area)[0];
    if (largest === undefined) return undefined;
    return {
      width: largest.detection.box.width,
      leftEye: centre(largest.landmarks.getLeftEye()),
      rightEye: centre(largest.landmarks.getRightEye()),
    };
  } finally {
    picture.dispose();
  }
}

function centre(points: readonly Point[]): Point {
  const sum = points.reduce((a, b) => ({ x: a.x + b.x, y: a.y + b.y }), { x: 0, y: 0 });
  return { x: sum.x / points.length, y: sum.y / points.length };
}

function expressionFeatures(tf: Tf, faceApi: FaceApi, faces: readonly RgbImage[]): Float32Array {
  const [first] = faces;
  if (first === undefined) return new Float32Array(0);
  const size = first.data.length;
  const pixels = new Float32Array(faces.length * size);
  for (const [i, face] of faces.entries()) pixels.set(face.data, i * size);
  // The network asks its input for nothing but the batch, already of the size that it wants.
  const network = faceApi.nets.faceExpressionNet.faceFeatureExtractor as unknown as {
    forwardInput(input: { toBatchTensor(): Tensor4D }): Tensor4D;
  };
  const features = tf.tidy(() => {
    const batch: Tensor4D = tf.tensor4d(pixels, [faces.length, first.height, first.width, 3]);
    return network.forwardInput({ toBatchTensor: () => batch }); // [B, 1, 1, 256]
  });
  const values = features.dataSync();
  features.dispose();
  return Float32Array.from(values);
}
