import type { Point } from "./alignFace.ts";
import {
  type FaceEngine,
  type FaceEngineOptions,
  type LoadedFaceEngine,
  type RunNet,
  loadFaceEngine,
} from "./faceEngine.ts";
import { faceExpressionGraph } from "./faceExpression.ts";
import { FACE_MEAN_RGB } from "./faceFeatureExtractor.ts";
import { faceLandmarksGraph, faceRegion, landmarksInput, landmarksOf } from "./faceLandmarks.ts";
import type { RgbImage } from "./image.ts";
import {
  DETECTOR_MEAN_RGB,
  type FaceBox,
  detectorInput,
  facesOf,
  tinyFaceDetectorGraph,
} from "./tinyFaceDetector.ts";
import { readFaceWeights } from "./weights.ts";

/** A face found in a picture. */
export interface FoundFace {
  readonly box: FaceBox;
  /** Pixels of the picture, [68] */
  readonly landmarks: readonly Point[];
}

export interface FaceNets {
  /** What runs the networks. */
  readonly engine: FaceEngine;
  /** The largest face of a picture, or undefined. */
  findFace(image: RgbImage): Promise<FoundFace | undefined>;
  /**
   * The feature of the facial-expression network for aligned faces.
   * @param faces each [112, 112, 3]
   * @returns [faces, 256] row-major
   */
  expressionFeatures(faces: readonly RgbImage[]): Promise<Float32Array>;
}

/** The largest value of a pixel. */
const WHITE = 255;

/** The three networks; each is made when it is first needed. */
export async function loadFaceNets(options?: FaceEngineOptions): Promise<FaceNets> {
  const engine = await loadFaceEngine(options);
  const detector = lazily(() => createFaceNet(engine, "detector"));
  const landmarks = lazily(() => createFaceNet(engine, "landmarks"));
  const expression = lazily(() => createFaceNet(engine, "expression"));
  return {
    engine: engine.name,
    findFace: async (image) => findFace(image, await detector(), landmarks),
    expressionFeatures: async (faces) => expressionFeatures(faces, await expression()),
  };
}

function lazily<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined;
  return () => (made ??= make());
}

/** What each network is made of. */
const NETS = {
  detector: {
    graph: tinyFaceDetectorGraph,
    model: "tiny_face_detector_model",
    meanRgb: DETECTOR_MEAN_RGB,
  },
  landmarks: {
    graph: faceLandmarksGraph,
    model: "face_landmark_68_model",
    meanRgb: FACE_MEAN_RGB,
  },
  expression: {
    graph: faceExpressionGraph,
    model: "face_expression_model",
    meanRgb: FACE_MEAN_RGB,
  },
} as const;

/** Makes one of the networks, its weights read from face-api's files. */
export async function createFaceNet(
  engine: LoadedFaceEngine,
  name: keyof typeof NETS,
): Promise<RunNet> {
  const { graph, model, meanRgb } = NETS[name];
  const weights = readFaceWeights(model)
    .set("normalise.mean", { shape: [3], data: Float32Array.from(meanRgb) })
    .set("normalise.deviation", { shape: [3], data: new Float32Array(3).fill(WHITE) });
  return engine.create(graph(), weights);
}

/**
 * The largest face that the detector sees, and its landmarks.
 * @param landmarks called only where there is a face
 */
export async function findFace(
  image: RgbImage,
  detect: RunNet,
  landmarks: () => Promise<RunNet>,
): Promise<FoundFace | undefined> {
  const boxes = facesOf(await detect(detectorInput(image), 1), image);
  const faces = boxes.flatMap((box) => {
    const region = faceRegion(box, image);
    return region === undefined ? [] : [{ box, region }];
  });
  const area = ({ box }: { readonly box: FaceBox }): number => box.width * box.height;
  const largest = faces.toSorted((a, b) => area(b) - area(a))[0];
  if (largest === undefined) return undefined;
  const { box, region } = largest;
  const points = await (await landmarks())(landmarksInput(image, region), 1);
  return { box, landmarks: landmarksOf(points, region, box) };
}

async function expressionFeatures(faces: readonly RgbImage[], run: RunNet): Promise<Float32Array> {
  const size = faces[0]?.data.length ?? 0;
  if (size === 0) return new Float32Array(0);
  const pixels = new Float32Array(faces.length * size);
  for (const [i, face] of faces.entries()) pixels.set(face.data, i * size);
  return run(pixels, faces.length);
}
