import { createRequire } from "node:module";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { createAdamW } from "../packages/core/src/model/adamW.ts";
import { AUDIO_FRAMES, AUDIO_MASK, audioCnnGraph } from "../packages/core/src/model/audioCnn.ts";
import { type Tf, kernelHost, loadTensorFlow } from "../packages/core/src/model/backend.ts";
import { fusionGraph, inputNames } from "../packages/core/src/model/fusion.ts";
import { type Graph, initialWeights } from "../packages/core/src/model/graph.ts";
import { crossEntropy, softTargets } from "../packages/core/src/model/loss.ts";
import { createNetwork } from "../packages/core/src/model/network.ts";
import { createRandom, normal } from "../packages/core/src/random.ts";
import { writePairs } from "../packages/train-multimodal/test/fixture.ts";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { runCommand, temporaryFolder } from "./command.ts";

type Tensor = ReturnType<Tf["tensor"]>;
type Scalar = ReturnType<Tf["scalar"]>;
type Tensor2D = ReturnType<Tf["tensor2d"]>;

const isSetUp = canLoad();
if (!isSetUp)
  console.warn(
    "SKIPPED: native TensorFlow (it is not set up; `pnpm native-tensorflow` does, `npm run verify` where it can)",
  );

/** Its addon is built, or was downloaded. */
function canLoad(): boolean {
  try {
    const require = createRequire(join(import.meta.dirname, "../packages/core/package.json"));
    return existsSync(
      join(dirname(require.resolve("@tensorflow/tfjs-node-gpu/package.json")), "lib"),
    );
  } catch {
    return false;
  }
}

/** A network, a batch of 5 for it, and how far its gradients may be from another backend's, of the largest. */
interface Case {
  readonly graph: Graph;
  readonly inputs: (tf: Tf) => Record<string, Tensor>;
  readonly tolerance: number;
}
const made = (tf: Tf, shape: number[], seed: number): Tensor => {
  const random = createRandom(seed);
  const size = shape.reduce((a, b) => a * b, 1);
  return tf.tensor(
    Float32Array.from({ length: size }, () => normal(random)),
    shape,
  );
};
const CASES: Record<string, Case> = {
  fusion: {
    graph: fusionGraph({ image: 7, audio: 6, classes: 3 }),
    inputs: (tf) => {
      const [image, audio] = [inputNames("image"), inputNames("audio")];
      return {
        [image.values]: made(tf, [5, 7], 1),
        [image.present]: tf.tensor2d([1, 0, 1, 1, 1], [5, 1]),
        [audio.values]: made(tf, [5, 6], 2),
        [audio.present]: tf.tensor2d([1, 1, 1, 0, 1], [5, 1]),
      };
    },
    tolerance: 1e-4,
  },
  audio_cnn: {
    graph: audioCnnGraph({ mels: 16, classes: 3 }),
    inputs: (tf) => ({ [AUDIO_FRAMES]: made(tf, [5, 48, 16], 3), [AUDIO_MASK]: tf.ones([5, 48]) }),
    tolerance: 1e-3, // four batch norms, one upon the other
  },
};

/** Weights after 3 steps of training, by name, and the gradients of the first. */
async function trainedOn(tf: Tf, backend: string, { graph, inputs }: Case) {
  await tf.setBackend(backend);
  const before = tf.memory().numTensors;
  const network = createNetwork(tf, graph, initialWeights(graph, createRandom(4)));
  const settings = { weightDecay: 0.01, gradClip: 1 };
  const optimiser = createAdamW(tf, network.trainable, settings, kernelHost(tf));
  const targets = softTargets([0, 1, 2, 1, 0], Float32Array.of(1, 2, 0.5), 0.1);
  const first = new Map<string, Float32Array>();
  const losses: number[] = [];
  for (let step = 0; step < 3; step += 1)
    tf.tidy(() => {
      const batch = inputs(tf);
      const { value, grads } = tf.variableGrads((): Scalar => {
        const logits = network.forward(batch, { training: true, dropoutSeed: () => step });
        return crossEntropy(tf, logits as Tensor2D, targets);
      }, [...network.trainable.values()]);
      const named: Record<string, Tensor> = {};
      for (const [name, { name: own }] of network.trainable) named[name] = grads[own]!;
      if (step === 0)
        for (const [name, gradient] of Object.entries(named))
          first.set(name, Float32Array.from(gradient.dataSync()));
      optimiser.step(named, 1e-3);
      losses.push(value.dataSync()[0]!);
    });
  const weights = network.weights();
  optimiser.dispose();
  network.dispose();
  expect(tf.memory().numTensors).toBe(before);
  return { first, losses, weights };
}

describe.skipIf(!isSetUp)("native TensorFlow", () => {
  let tf: Tf;
  beforeAll(async () => {
    ({ tf } = await loadTensorFlow("tensorflow"));
  });
  afterAll(async () => {
    await tf.setBackend("cpu");
  });

  it.each(Object.entries(CASES))(
    "trains %s as the cpu backend does, and keeps no tensor",
    async (_name, one) => {
      const native = await trainedOn(tf, "tensorflow", one);
      const cpu = await trainedOn(tf, "cpu", one);
      for (const [name, expected] of cpu.first) {
        const largest = expected.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
        const tolerance = { rtol: one.tolerance, atol: one.tolerance * largest + 1e-7 };
        expect(native.first.get(name)!).toBeAllClose(expected, tolerance);
      }
      expect(native.losses).toBeAllClose(cpu.losses, { rtol: 1e-2 });
      const statistics = [...cpu.weights].filter(([name]) => name.includes(".running_"));
      for (const [name, { data }] of statistics)
        expect(native.weights.get(name)!.data).toBeAllClose(data, { rtol: 1e-2, atol: 1e-3 });
    },
  );

  it("is what auto takes, says so once, trains by the seed byte for byte, and says nothing with --quiet", async () => {
    const folder = temporaryFolder();
    const trainH5 = await writePairs(folder, "train.h5");
    const train = (out: string, ...flags: string[]) =>
      runCommand("train-multimodal", [
        "--train_h5",
        trainH5,
        "--epochs",
        "2",
        "--save_dir",
        join(folder, out),
        "--json",
        ...flags,
      ]);
    const told = await train("a");
    expect(told.stderr.match(/TensorFlow\.js on tensorflow/g)).toHaveLength(1);
    expect(JSON.parse(told.stdout)).toMatchObject({ backend: "tensorflow", epochs: 2 });
    expect(await train("b", "--quiet")).toMatchObject({ exitCode: 0, stderr: "" });
    const weights = (out: string) => readFileSync(join(folder, out, "multimodal_last/weights.bin"));
    expect(weights("a").equals(weights("b"))).toBe(true);
    expect(await train("c", "--device", "cpu")).toMatchObject({ exitCode: 0 });
  });
});
