import { UserError } from "../errors.ts";
import type { EncoderInfo } from "../hdf5/encoder.ts";
import { CREATED_BY } from "../hdf5/format.ts";
import { RESNET18_WEIGHTS, findWeights } from "../interop/pretrained.ts";
import { readStateDict } from "../interop/stateDict.ts";
import { loadTensorFlow } from "../model/backend.ts";
import type { Weights } from "../model/graph.ts";
import { createNetwork } from "../model/network.ts";
import {
  PICTURE,
  RESNET18_DIM,
  RESNET18_SIDE,
  randomResnet18Weights,
  resnet18Graph,
  resnet18Weights,
} from "../model/resnet18.ts";
import { exportGraph } from "../onnx/exportGraph.ts";
import { type OnnxRuntime, createSession, loadOnnxRuntime } from "../onnx/session.ts";
import { pictureConfig } from "./pictureConfig.ts";
import { type PictureEncoder, type PictureEncoderOptions, packPictures } from "./pictureEncoder.ts";
import type { PictureInput } from "./preparePicture.ts";

/** `--weights random` */
const RANDOM = "random";
const RANDOM_SEED = 1234;
/** What stands in place of a hash, so that random weights never pass for others. */
const RANDOM_HASH = `${RANDOM}-${RANDOM_SEED}`;
/** The hash that the published file has in its name. */
const PUBLISHED_DIGITS = /-([0-9a-f]+)\./.exec(RESNET18_WEIGHTS.fileName)?.[1] ?? "";

/** What runs the network: all numbers [pictures, 512] of u8 [pictures, 224, 224, 3]. */
type Engine = Pick<PictureEncoder, "dispose"> & {
  run(pixels: Uint8Array, pictures: number): Promise<Float32Array>;
};

/**
 * Loads ResNet-18 as an encoder: on ONNX Runtime, or on TensorFlow.js where that does not load.
 * @throws UserError when the weights cannot be had or are others, or the device is not there
 */
export async function loadResnet18Encoder(options: PictureEncoderOptions): Promise<PictureEncoder> {
  const { weights, sha256 } = await loadWeights(options);
  const engine = await startEngine(weights, options);
  return {
    info: resnet18Info(sha256, options.faceCrop),
    input: { faceCrop: options.faceCrop, width: RESNET18_SIDE, height: RESNET18_SIDE },
    embed: (pictures) => engine.run(packPictures(pictures), pictures.length),
    dispose: () => engine.dispose(),
  };
}

/** What the `resnet18` model is, for files and models. */
export function resnet18Info(
  weightsSha256: string,
  faceCrop: PictureInput["faceCrop"],
): EncoderInfo {
  return {
    model: "resnet18",
    weightsSha256,
    featureConfig: pictureConfig(faceCrop, { normalisation: "imagenet", size: RESNET18_SIDE }),
    dim: RESNET18_DIM,
  };
}

/**
 * What --weights must name for weights of a hash: "published" for those, "random" for ours; undefined where only the user
 * knows.
 */
export function resnet18WeightsFor(sha256: string): "published" | "random" | undefined {
  if (sha256 === RANDOM_HASH) return RANDOM;
  return sha256.startsWith(PUBLISHED_DIGITS) ? "published" : undefined;
}

async function loadWeights({
  weights,
  env,
  onNotice,
  signal,
}: PictureEncoderOptions): Promise<{ readonly weights: Weights; readonly sha256: string }> {
  if (weights === RANDOM) {
    onNotice?.("--weights random: an untrained network, whose embeddings are good for trials only");
    return { weights: randomResnet18Weights(RANDOM_SEED), sha256: RANDOM_HASH };
  }
  const { path, sha256 } = await findWeights({
    published: RESNET18_WEIGHTS,
    explicit: weights,
    env,
    onNotice,
    signal,
  });
  return { weights: resnet18Weights(await readStateDict(path, "--weights"), path), sha256 };
}

async function startEngine(
  weights: Weights,
  { device, onNotice }: PictureEncoderOptions,
): Promise<Engine> {
  const runtime = loadOnnxRuntime();
  if (runtime.ok) return onOnnxRuntime(runtime.ort, weights, device);
  if (device !== "auto" && device !== "cpu")
    throw new UserError(
      "E_UNAVAILABLE",
      `--device ${device}: needs ONNX Runtime, which does not load (${runtime.cause})`,
      { hint: "install onnxruntime-node, or leave the flag out" },
    );
  return onTensorFlow(weights, (backend) =>
    onNotice?.(
      `ONNX Runtime does not load (${runtime.cause}): TensorFlow.js on ${backend} takes its place, which is slower`,
    ),
  );
}

const EMBEDDING = "embedding";

async function onOnnxRuntime(
  ort: OnnxRuntime,
  weights: Weights,
  device: PictureEncoderOptions["device"],
): Promise<Engine> {
  const graph = resnet18Graph();
  const bytes = exportGraph(graph, weights, {
    name: "resnet18",
    outputs: [{ name: EMBEDDING, layer: graph.output }],
    metadata: {},
    createdBy: CREATED_BY,
  });
  const session = await createSession(ort, bytes, { device });
  return {
    run: async (data, pictures) => {
      const dims = [pictures, RESNET18_SIDE, RESNET18_SIDE, 3];
      const outputs = await session.run({ [PICTURE]: { data, dims } });
      const embeddings = outputs[EMBEDDING]?.data;
      if (embeddings === undefined) throw new Error(`the network lacks the output '${EMBEDDING}'`);
      return embeddings;
    },
    dispose: () => session.dispose(),
  };
}

async function onTensorFlow(
  weights: Weights,
  onBackend: (backend: string) => void,
): Promise<Engine> {
  const { tf, backend } = await loadTensorFlow();
  onBackend(backend);
  const network = createNetwork(tf, resnet18Graph(), weights);
  return {
    run: async (pixels, pictures) => {
      const embeddings = tf.tidy(() => {
        const shape: [number, number, number, number] = [pictures, RESNET18_SIDE, RESNET18_SIDE, 3];
        const picture = tf.tensor4d(Float32Array.from(pixels), shape);
        return network.forward({ [PICTURE]: picture }, { training: false });
      });
      const data = (await embeddings.data()) as Float32Array;
      embeddings.dispose();
      return data;
    },
    dispose: async () => network.dispose(),
  };
}
