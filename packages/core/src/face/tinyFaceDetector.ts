import {
  type Graph,
  type GraphBuilder,
  VALID,
  type Window,
  createGraphBuilder,
  padAll,
  padSame,
} from "../model/graph.ts";
import type { RgbImage } from "./image.ts";
import { resizeToSquare } from "./resizeBilinear.ts";

/** Pixels of the network's square input. */
export const DETECTOR_SIZE = 416;
/** Mean of the pixels it was trained on, RGB. */
export const DETECTOR_MEAN_RGB = [117.001, 114.697, 97.404];
/** Cells of its output, along each side. */
const CELLS = 13;
/** Boxes that a cell may hold: their width and height in cells, times e to the power of what the network says. */
const ANCHORS = [
  { width: 1.603231, height: 2.094468 },
  { width: 6.041143, height: 7.080126 },
  { width: 2.882459, height: 3.518061 },
  { width: 4.266906, height: 5.178857 },
  { width: 9.041765, height: 10.66308 },
];
/** Values of a box: the place of its centre in the cell, its size, its score. */
const BOX_VALUES = 5;
/** Of two boxes that overlap by more than this (intersection over union) the better one stays. */
const MAX_IOU = 0.4;
const MIN_SCORE = 0.5;
const LEAKY_ALPHA = 0.1;

/** Where a face is, pixels of the picture; it may reach beyond its borders. */
export interface FaceBox {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
  /** Probability of a face, (0.5, 1]. */
  readonly score: number;
}

/**
 * The Tiny Face Detector (Tiny YOLO v2 of separable convolutions). Pixels [B, 416, 416, 3], 0 to 255
 * → [B, 13, 13, 25]: five boxes of five values a cell.
 */
export function tinyFaceDetectorGraph(): Graph {
  const net = createGraphBuilder();
  const pixels = net.input("pixels", [null, DETECTOR_SIZE, DETECTOR_SIZE, 3]);
  let x = net.standardise("normalise", pixels);
  x = net.conv2d("conv0", x, 16, { size: [3, 3], strides: [1, 1], padding: VALID }, true);
  x = net.leakyRelu("conv0/leaky", x, LEAKY_ALPHA); // [B, 414, 414, 16]
  x = addPool(net, "pool0", x, 2); // [B, 207, 207, 16]
  for (const [i, filters] of [32, 64, 128, 256, 512].entries()) {
    const name = `conv${i + 1}`;
    x = net.depthwiseConv2d(`${name}/depthwise`, x, THREE);
    x = net.leakyRelu(`${name}/leaky`, net.conv2d(name, x, filters, ONE, true), LEAKY_ALPHA);
    x = addPool(net, `pool${i + 1}`, x, filters < 512 ? 2 : 1);
  } // [B, 13, 13, 512]
  return net.build(net.conv2d("conv8", x, ANCHORS.length * BOX_VALUES, ONE, true));
}

const ONE: Window = { size: [1, 1], strides: [1, 1], padding: VALID };
const THREE: Window = { size: [3, 3], strides: [1, 1], padding: padAll(1) };

function addPool(net: GraphBuilder, name: string, x: string, stride: 1 | 2): string {
  const [, height, width] = net.shapeOf(x);
  const padding = padSame([height ?? 0, width ?? 0], [2, 2], [stride, stride]);
  return net.maxPool2d(name, x, { size: [2, 2], strides: [stride, stride], padding });
}

/** A picture as the network's input, [416, 416, 3]: its longer side 416 pixels, black to the right or below. */
export function detectorInput(image: RgbImage): Float32Array {
  const { width, height } = image;
  return resizeToSquare(image, { x: 0, y: 0, width, height }, DETECTOR_SIZE, false);
}

/**
 * The faces that the network's output tells, the surest first.
 * @param output [13, 13, 25]
 * @param size of the picture, pixels
 */
export function facesOf(
  output: Float32Array,
  size: { readonly width: number; readonly height: number },
): FaceBox[] {
  const longer = Math.max(size.width, size.height);
  // The network sees a picture whose shorter side is rounded to a whole pixel: its boxes are stretched by a little.
  const stretch = (pixels: number): number =>
    (pixels * DETECTOR_SIZE) / Math.round((pixels * DETECTOR_SIZE) / longer);
  const [across, down] = [stretch(size.width), stretch(size.height)];
  const boxes: FaceBox[] = [];
  for (let row = 0; row < CELLS; row += 1)
    for (let column = 0; column < CELLS; column += 1)
      for (const [i, anchor] of ANCHORS.entries()) {
        const at = ((row * CELLS + column) * ANCHORS.length + i) * BOX_VALUES;
        const score = sigmoid(output[at + 4] ?? NaN);
        if (!(score > MIN_SCORE)) continue;
        const [x = NaN, y = NaN, w = NaN, h = NaN] = output.subarray(at, at + 4);
        const width = ((Math.exp(w) * anchor.width) / CELLS) * across;
        const height = ((Math.exp(h) * anchor.height) / CELLS) * down;
        boxes.push({
          x: ((column + sigmoid(x)) / CELLS) * across - width / 2,
          y: ((row + sigmoid(y)) / CELLS) * down - height / 2,
          width,
          height,
          score,
        });
      }
  return suppressOverlaps(boxes);
}

function sigmoid(x: number): number {
  return 1 / (1 + Math.exp(-x));
}

/** Non-maximum suppression: the surest box stays, those that overlap it much go, and so on. */
function suppressOverlaps(boxes: readonly FaceBox[]): FaceBox[] {
  const kept: FaceBox[] = [];
  for (const box of boxes.toSorted((a, b) => b.score - a.score))
    if (kept.every((better) => intersectionOverUnion(better, box) <= MAX_IOU)) kept.push(box);
  return kept;
}

function intersectionOverUnion(a: FaceBox, b: FaceBox): number {
  const width = Math.min(a.x + a.width, b.x + b.width) - Math.max(a.x, b.x);
  const height = Math.min(a.y + a.height, b.y + b.height) - Math.max(a.y, b.y);
  const intersection = Math.max(0, width) * Math.max(0, height);
  return intersection / (a.width * a.height + b.width * b.height - intersection);
}
