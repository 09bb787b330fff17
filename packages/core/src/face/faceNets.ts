import type { Point } from "./alignFace.ts";
import type { LoadedFaceEngine, RunNet } from "./faceEngine.ts";
import { faceExpressionGraph, faceMapsGraph } from "./faceExpression.ts";
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
  /** The faces of a picture, the largest first, `most` of them at most; none is a normal case. */
  findFaces(image: RgbImage, most: number): Promise<FoundFace[]>;
  /**
   * The feature of the facial-expression network for aligned faces.
   * @param faces each [112, 112, 3]
   * @returns [faces, 256] row-major
   */
  expressionFeatures(faces: readonly RgbImage[]): Promise<Float32Array>;
  /**
   * What that network sees at each place of aligned faces.
   * @param faces each [112, 112, 3]
   * @returns [faces, 7, 7, 384] row-major
   */
  expressionMaps(faces: readonly RgbImage[]): Promise<Float32Array>;
}

/** The largest value of a pixel. */
const WHITE = 255;

/** The networks, as the engine runs them; each is made when it is first needed. */
export function createFaceNets(engine: LoadedFaceEngine): FaceNets {
  const detector = lazily(() => createFaceNet(engine, "detector"));
  const landmarks = lazily(() => createFaceNet(engine, "landmarks"));
  const expression = lazily(() => createFaceNet(engine, "expression"));
  const maps = lazily(() => createFaceNet(engine, "maps"));
  return {
    findFaces: async (image, most) => findFaces(image, most, await detector(), landmarks),
    expressionFeatures: async (faces) => runOnFaces(faces, await expression()),
    expressionMaps: async (faces) => runOnFaces(faces, await maps()),
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
  maps: { graph: faceMapsGraph, model: "face_expression_model", meanRgb: FACE_MEAN_RGB },
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
 * The largest faces that the detector sees, and their landmarks.
 * @param landmarks called only where there is a face
 */
export async function findFaces(
  image: RgbImage,
  most: number,
  detect: RunNet,
  landmarks: () => Promise<RunNet>,
): Promise<FoundFace[]> {
  const boxes = facesOf(await detect(detectorInput(image), 1), image);
  const faces = boxes.flatMap((box) => {
    const region = faceRegion(box, image);
    return region === undefined ? [] : [{ box, region }];
  });
  const area = ({ box }: { readonly box: FaceBox }): number => box.width * box.height;
  const found: FoundFace[] = [];
  for (const { box, region } of faces.toSorted((a, b) => area(b) - area(a)).slice(0, most)) {
    const points = await (await landmarks())(landmarksInput(image, region), 1);
    found.push({ box, landmarks: landmarksOf(points, region, box) });
  }
  return found;
}

async function runOnFaces(faces: readonly RgbImage[], run: RunNet): Promise<Float32Array> {
  const size = faces[0]?.data.length ?? 0;
  if (size === 0) return new Float32Array(0);
  const pixels = new Float32Array(faces.length * size);
  for (const [i, face] of faces.entries()) pixels.set(face.data, i * size);
  return run(pixels, faces.length);
}
