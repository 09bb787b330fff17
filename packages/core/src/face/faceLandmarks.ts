import type { Graph } from "../model/graph.ts";
import type { Point } from "./alignFace.ts";
import { FACE_INPUT_SIZE, createFaceFeatureExtractor } from "./faceFeatureExtractor.ts";
import type { RgbImage } from "./image.ts";
import { type Region, resizeToSquare } from "./resizeBilinear.ts";
import type { FaceBox } from "./tinyFaceDetector.ts";

/** Points of the outline, the brows, the nose, the eyes and the mouth, in the order of iBUG 300-W. */
const POINTS = 68;
/** Which of them go around the eyes; left is left in the picture. */
const LEFT_EYE = [36, 42] as const;
const RIGHT_EYE = [42, 48] as const;

/** The 68-point landmark network: pixels [B, 112, 112, 3], 0 to 255 → [B, 136], x and y of each point as parts of the input. */
export function faceLandmarksGraph(): Graph {
  const { net, feature } = createFaceFeatureExtractor();
  return net.build(net.dense("fc", feature, POINTS * 2));
}

/** The part of a face's box that lies in the picture, whole pixels; undefined where nothing does. */
export function faceRegion(box: FaceBox, image: RgbImage): Region | undefined {
  const [x, y] = [Math.max(box.x, 0), Math.max(box.y, 0)];
  const width = Math.floor(Math.min(box.x + box.width, image.width) - x);
  const height = Math.floor(Math.min(box.y + box.height, image.height) - y);
  return width > 0 && height > 0
    ? { x: Math.floor(x), y: Math.floor(y), width, height }
    : undefined;
}

/** A face as the network's input, [112, 112, 3], in the middle of a black square. */
export function landmarksInput(image: RgbImage, region: Region): Float32Array {
  return resizeToSquare(image, region, FACE_INPUT_SIZE, true);
}

/**
 * The landmarks in pixels of the picture.
 * @param output [136]
 * @param region what the network saw
 * @param box whose corner the points are counted from, as face-api does: where the box reaches beyond the picture's left or
 * upper border, they are off by as much
 */
export function landmarksOf(output: Float32Array, region: Region, box: FaceBox): Point[] {
  const side = Math.max(region.width, region.height);
  const [left, top] = [(side - region.width) / 2, (side - region.height) / 2];
  return Array.from({ length: POINTS }, (_, i) => ({
    x: box.x + (output[2 * i] ?? 0) * side - left,
    y: box.y + (output[2 * i + 1] ?? 0) * side - top,
  }));
}

/** The centres of the eyes. */
export function eyesOf(landmarks: readonly Point[]): { leftEye: Point; rightEye: Point } {
  return {
    leftEye: centre(landmarks.slice(...LEFT_EYE)),
    rightEye: centre(landmarks.slice(...RIGHT_EYE)),
  };
}

function centre(points: readonly Point[]): Point {
  const sum = points.reduce((a, b) => ({ x: a.x + b.x, y: a.y + b.y }), { x: 0, y: 0 });
  return { x: sum.x / points.length, y: sum.y / points.length };
}
