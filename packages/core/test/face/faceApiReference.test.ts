import { createRequire } from "node:module";
import type { Tensor3D, Tensor4D } from "@tensorflow/tfjs";
import sharp from "sharp";
import { beforeAll, describe, expect, test } from "vitest";
import { drawFace } from "../../../../scripts/sample/faces.ts";
import { type LoadedFaceEngine, loadFaceEngine } from "../../src/face/faceEngine.ts";
import { createFaceNet, findFaces } from "../../src/face/faceNets.ts";
import type { RgbImage } from "../../src/face/image.ts";
import { detectorInput, facesOf } from "../../src/face/tinyFaceDetector.ts";
import { loadTensorFlow } from "../../src/model/backend.ts";
import { type LoadedRuntime, loadOnnxRuntime } from "../../src/onnx/session.ts";
import { createRandom, normal } from "../../src/random.ts";

/** face-api itself, whose weights the networks have: the same numbers must come out. */
type FaceApi = typeof import("@vladmandic/face-api");
type Tf = typeof import("@tensorflow/tfjs");
let faceApi: FaceApi;
let tf: Tf;

beforeAll(async () => {
  tf = (await loadTensorFlow("wasm")).tf; // the TensorFlow.js that face-api takes too
  const require = createRequire(import.meta.url);
  faceApi = require("@vladmandic/face-api/dist/face-api.node-wasm.js") as FaceApi;
  const folder = require
    .resolve("@vladmandic/face-api/package.json")
    .replace(/package\.json$/, "model");
  const { tinyFaceDetector, faceLandmark68Net, faceExpressionNet } = faceApi.nets;
  for (const net of [tinyFaceDetector, faceLandmark68Net, faceExpressionNet])
    await net.loadFromDisk(folder);
});

/** Its detector sees no face in the drawing: planted outputs say where the face is. */
async function pictureOfFace(face: number, width: number, height: number): Promise<RgbImage> {
  const drawn = await sharp(await drawFace({ emotion: "happy", face, seed: 1 }))
    .toColourspace("srgb")
    .toBuffer();
  const data = await sharp({ create: { width, height, channels: 3, background: "#678" } })
    .composite([{ input: drawn, left: 10, top: 10 }])
    .removeAlpha()
    .raw()
    .toBuffer();
  return { data, width, height };
}

function tensorOf({ data, width, height }: RgbImage): Tensor3D {
  return tf.tensor3d(Int32Array.from(data), [height, width, 3], "int32");
}

/** The options of face-api's detector that fit {@link detectorInput}. */
const options = () => new faceApi.TinyFaceDetectorOptions({ inputSize: 416, scoreThreshold: 0.5 });

/** Makes face-api's detector give `output` [13, 13, 25] whatever the picture, while `work` runs. */
async function withDetectorOutput<T>(output: Float32Array, work: () => Promise<T>): Promise<T> {
  const net = faceApi.nets.tinyFaceDetector as unknown as Record<"forwardInput", unknown>;
  const original = net.forwardInput;
  net.forwardInput = (input: { toBatchTensor(size: number, centred: boolean): Tensor4D }) => {
    input.toBatchTensor(416, false).dispose(); // it keeps the size of its input
    return tf.tensor4d(output, [1, 13, 13, 25]);
  };
  try {
    return await work();
  } finally {
    net.forwardInput = original;
  }
}

/** An output of the detector that tells one face, of the second anchor, with its centre in a cell. */
function oneFace(column: number, row: number, size: number): Float32Array {
  const output = new Float32Array(13 * 13 * 25).fill(-9);
  output.set(
    [0.3, -0.2, Math.log(size), Math.log(size) + 0.1, 2],
    ((row * 13 + column) * 5 + 1) * 5,
  );
  return output;
}

const installed = loadOnnxRuntime();
const withoutOnnx: LoadedRuntime = { ok: false, cause: "there is none" };

describe.each([
  ...(installed.ok ? [["onnxruntime", installed] as const] : []),
  ["tensorflow.js wasm", withoutOnnx] as const,
])("the networks on %s", (name, runtime) => {
  let engine: LoadedFaceEngine;
  beforeAll(async () => {
    engine = await loadFaceEngine({ runtime });
  });

  test("is the one meant", () => expect(engine.name).toBe(name));

  // Both sum in float32, in other orders: a few units of its last place.
  test.each([
    [320, 200],
    [150, 230],
    [416, 416],
  ])("the detector's output for a picture of %d × %d", async (width, height) => {
    const image = await pictureOfFace(1, width, height);
    const detect = await createFaceNet(engine, "detector");
    const tensor = tensorOf(image);
    const expected = await faceApi.nets.tinyFaceDetector.forward(tensor, 416);
    expect(await detect(detectorInput(image), 1)).toBeAllClose(expected.dataSync(), {
      rtol: 0,
      atol: 1e-4,
    });
    tensor.dispose();
    expected.dispose();
  });

  test.each([
    ["inside", 400, 240, oneFace(2, 2, 0.5)],
    ["inside, upright picture", 200, 420, oneFace(3, 2, 0.4)],
    ["beyond the left and upper border", 300, 200, oneFace(1, 1, 0.8)],
    ["beyond the right and lower border", 140, 120, oneFace(9, 8, 1)],
  ])("the landmarks of a face %s", async (_place, width, height, output) => {
    const image = await pictureOfFace(2, width, height);
    const landmarks = await createFaceNet(engine, "landmarks");
    const [found] = await findFaces(
      image,
      1,
      async () => output,
      async () => landmarks,
    );
    const tensor = tensorOf(image);
    const [expected] = await withDetectorOutput(output, async () =>
      faceApi.detectAllFaces(tensor, options()).withFaceLandmarks(),
    );
    tensor.dispose();
    const flat = (points: readonly { x: number; y: number }[] = []) =>
      points.flatMap(({ x, y }) => [x, y]);
    expect(flat(found?.landmarks)).toHaveLength(136);
    expect(flat(found?.landmarks)).toBeAllClose(flat(expected?.landmarks.positions), {
      rtol: 0,
      atol: 1e-3, // pixels
    });
  });

  test("the expression feature of a batch of faces", async () => {
    const faces = await Promise.all([0, 1, 2].map((face) => pictureOfFace(face, 112, 112)));
    const expression = await createFaceNet(engine, "expression");
    const pixels = Float32Array.from(faces.flatMap(({ data }) => [...data]));
    const extractor = faceApi.nets.faceExpressionNet.faceFeatureExtractor as unknown as {
      forward(inputs: readonly Tensor3D[]): Promise<Tensor4D>;
    };
    const tensors = faces.map(tensorOf);
    const expected = await extractor.forward(tensors);
    const feature = await expression(pixels, faces.length);
    expect(feature).toHaveLength(3 * 256);
    expect(feature).toBeAllClose(expected.dataSync(), { rtol: 0, atol: 1e-4 });
    tf.dispose([...tensors, expected]);
  });
});

test.each([
  [640, 480],
  [333, 517],
  [1280, 720],
])("faces among many overlapping boxes, in a picture of %d × %d", async (width, height) => {
  const random = createRandom(width);
  const output = Float32Array.from({ length: 13 * 13 * 25 }, () => normal(random));
  const tensor: Tensor3D = tf.zeros([height, width, 3], "int32");
  const expected = await withDetectorOutput(output, async () => {
    const faces = await faceApi.detectAllFaces(tensor, options());
    return faces.map(({ box, score }) => [box.x, box.y, box.width, box.height, score]);
  });
  tensor.dispose();
  expect(expected.length).toBeGreaterThan(20);
  const faces = facesOf(output, { width, height });
  const rows = faces.map((face) => [face.x, face.y, face.width, face.height, face.score]);
  expect(rows).toHaveLength(expected.length);
  expect(rows.flat()).toBeAllClose(expected.flat(), { rtol: 1e-9, atol: 1e-9 }); // the same doubles
});
