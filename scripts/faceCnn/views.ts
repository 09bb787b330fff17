/** What face_cnn is trained on: several views of each face of a folder, as the maps that the expression network makes of them. */
import { join } from "node:path";
import { LEFT_EYE, RIGHT_EYE, alignFace } from "../../packages/core/src/face/alignFace.ts";
import { loadFaceEngine } from "../../packages/core/src/face/faceEngine.ts";
import { FACE_INPUT_SIZE } from "../../packages/core/src/face/faceFeatureExtractor.ts";
import { type FaceNets, createFaceNets } from "../../packages/core/src/face/faceNets.ts";
import {
  type RgbImage,
  mirrored,
  readImage,
  toSquare,
} from "../../packages/core/src/face/image.ts";
import { IMAGE_EXTENSIONS, listFiles } from "../../packages/core/src/files/listFiles.ts";
import { EMOTIONS, factsOf } from "../../packages/core/src/labels.ts";
import { createRandom, normal } from "../../packages/core/src/random.ts";

/** Labelled faces. */
export interface Faces {
  readonly labels: readonly string[];
  /** The emotions that occur, in the order of a model's outputs. */
  readonly classes: readonly string[];
  /** [faces][views], each [7, 7, 384]: the face, its mirror image, then jittered ones. */
  readonly maps: readonly (readonly Float32Array[])[];
}

/** Faces that go through the network at once. */
const BATCH = 16;

/**
 * Reads a folder of aligned faces, a folder a class.
 * @param views of each face, 2 at least; each takes 75 kB
 */
export async function readFaces(folder: string, views: number, seed: number): Promise<Faces> {
  const paths = listFiles(folder, IMAGE_EXTENSIONS, "--images_dir");
  const nets = createFaceNets(await loadFaceEngine());
  const random = createRandom(seed);
  const labels: string[] = [];
  const maps: Float32Array[][] = [];
  for (let start = 0; start < paths.length; start += BATCH) {
    const batch = paths.slice(start, start + BATCH);
    const faces = await Promise.all(
      batch.map(async (path) => toSquare(await readImage(join(folder, path)), FACE_INPUT_SIZE)),
    );
    maps.push(...(await viewsOf(nets, faces, views, random)));
    labels.push(...batch.map((path) => factsOf(path).label));
    if ((start / BATCH) % 64 === 0)
      process.stderr.write(`maps of ${maps.length}/${paths.length} faces\n`);
  }
  return { labels, classes: EMOTIONS.filter((emotion) => labels.includes(emotion)), maps };
}

async function viewsOf(
  nets: FaceNets,
  faces: readonly RgbImage[],
  views: number,
  random: () => number,
): Promise<Float32Array[][]> {
  const maps: Float32Array[][] = faces.map(() => []);
  for (let view = 0; view < views; view += 1) {
    const seen = faces.map((face) =>
      view === 0 ? face : view === 1 ? mirrored(face) : jittered(face, random),
    );
    const values = await nets.expressionMaps(seen);
    const size = values.length / faces.length;
    for (const [i, own] of maps.entries()) own.push(values.slice(i * size, (i + 1) * size));
  }
  return maps;
}

/** Deviations of what a jittered view is turned, scaled, shifted (parts of its width), and changed in contrast and level by. */
const JITTER = { degrees: 7, scale: 0.07, shift: 0.04, contrast: 0.15, level: 15 };

/** Another view of an aligned face, as if its eyes had been found a little elsewhere, in other light, half of them mirrored. */
function jittered(face: RgbImage, random: () => number): RgbImage {
  const { width: size } = face;
  const turned = (Math.PI / 180) * JITTER.degrees * bounded(random);
  const apart = (RIGHT_EYE.x - LEFT_EYE.x) * size * (1 + JITTER.scale * bounded(random));
  const place = (part: number): number => (part + JITTER.shift * bounded(random)) * size;
  const [x, y] = [place((LEFT_EYE.x + RIGHT_EYE.x) / 2), place(LEFT_EYE.y)]; // between the eyes
  const eye = (side: -1 | 1) => ({
    x: x + (side * apart * Math.cos(turned)) / 2,
    y: y + (side * apart * Math.sin(turned)) / 2,
  });
  const view = alignFace(random() < 0.5 ? face : mirrored(face), eye(-1), eye(1), size);
  const contrast = 1 + JITTER.contrast * bounded(random);
  const level = JITTER.level * bounded(random);
  const data = Uint8Array.from(new Uint8ClampedArray(Array.from(view.data, (value) => (value - 128) * contrast + 128 + level))); // prettier-ignore
  return { ...view, data };
}

/** A normal number, of 2 at most to either side. */
function bounded(random: () => number): number {
  return Math.max(-2, Math.min(2, normal(random)));
}
