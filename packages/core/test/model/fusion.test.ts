import type { NamedTensorMap, Tensor2D } from "@tensorflow/tfjs";
import { type Tf, loadTensorFlow } from "@emotion-service/core/model/backend";
import {
  type FusionBatch,
  type FusionModel,
  createFusion,
  fusionGraph,
} from "@emotion-service/core/model/fusion";
import { initialWeights, weightSlots } from "@emotion-service/core/model/graph";
import { crossEntropy, softTargets } from "@emotion-service/core/model/loss";
import { predictBatch } from "@emotion-service/core/model/fusionLearner";
import { createRandom } from "@emotion-service/core/random";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { SHAPE, bytesOf, planted, sourceOf } from "./planted.ts";
import { hashedValues, hashedWeights } from "./reference.ts";

const ROWS = 12;
/** Dropout that drops the same each time. */
const TRAINING = { training: true, dropoutSeed: () => 1 } as const;

let tf: Tf;
let model: FusionModel;
beforeAll(async () => {
  ({ tf } = await loadTensorFlow("wasm"));
  model = createFusion(tf, SHAPE, hashedWeights(SHAPE));
});
afterAll(() => model.dispose());

interface BatchOptions {
  readonly imagePresent?: readonly number[];
  /** What stands in the image values of rows without an image. */
  readonly filler?: number;
  /** The rows taken, of {@link ROWS}. */
  readonly rows?: readonly number[];
}

function batchOf({ imagePresent, filler = 0, rows }: BatchOptions = {}): FusionBatch {
  const taken = rows ?? Array.from({ length: ROWS }, (_, row) => row);
  const modality = (seed: number, columns: number, there: readonly number[] | undefined) => {
    const all = hashedValues(seed, ROWS * columns, -2, 2);
    const present = taken.map((row) => there?.[row] ?? 1);
    const values = taken.flatMap((row, i) =>
      present[i] === 1
        ? Array.from(all.subarray(row * columns, (row + 1) * columns))
        : Array<number>(columns).fill(filler),
    );
    return {
      values: tf.tensor2d(values, [taken.length, columns]),
      present: tf.tensor2d(present, [taken.length, 1]),
    };
  };
  return {
    image: modality(1, SHAPE.image, imagePresent),
    audio: modality(2, SHAPE.audio, undefined),
  };
}

const SOME = [1, 0, 1, 1, 0, 1, 1, 1, 0, 1, 1, 1];

/** Training logits and the image encoder's running statistics after them, from a fresh model. */
function trainForward(options: BatchOptions) {
  const fresh = createFusion(tf, SHAPE, hashedWeights(SHAPE));
  const logits = tf.tidy(() => fresh.forward(batchOf(options), TRAINING).dataSync());
  const weights = fresh.weights();
  fresh.dispose();
  const running = (name: string) => weights.get(`image_encoder.norm.${name}`)!.data;
  return { logits, mean: running("running_mean"), variance: running("running_variance") };
}

describe("a missing modality", () => {
  it("changes no batch statistic: they are those of the rows that have it", () => {
    const masked = trainForward({ imagePresent: SOME });
    const rows = [...SOME.keys()].filter((row) => SOME[row] === 1);
    const plain = trainForward({ rows });
    expect(masked.mean).toBeAllClose(plain.mean, { rtol: 1e-5, atol: 1e-6 });
    expect(masked.variance).toBeAllClose(plain.variance, { rtol: 1e-5, atol: 1e-6 });
    expect(trainForward({}).mean).not.toBeAllClose(plain.mean, { rtol: 1e-2, atol: 1e-2 });
  });

  it("makes no output depend on the values that stand in its place", () => {
    const zeros = trainForward({ imagePresent: SOME });
    const others = trainForward({ imagePresent: SOME, filler: 7.5 });
    expect(others.logits).toEqual(zeros.logits);
    expect(others.variance).toEqual(zeros.variance);
    const evaluate = (filler: number): ArrayLike<number> =>
      tf.tidy(() =>
        model.forward(batchOf({ imagePresent: SOME, filler }), { training: false }).dataSync(),
      );
    expect(evaluate(7.5)).toEqual(evaluate(0));
  });

  it("is never read from a set: not even NaN there reaches the output", async () => {
    const { dataset, classIds } = planted({ rows: 20, withoutImage: (row) => row % 3 === 0 });
    const weights = hashedWeights(SHAPE);
    weights.set("image.deviation", { shape: [6], data: new Float32Array(6).fill(2) });
    const halved = createFusion(tf, SHAPE, weights);
    const withValue = async (value: number): Promise<number[]> => {
      const image = dataset.image!;
      const data = image.values.data.map((old, i) =>
        image.present[Math.floor(i / 6)] === 1 ? old : value,
      );
      const rows = { ...image, values: { ...image.values, data } };
      const source = sourceOf({ dataset: { ...dataset, image: rows }, classIds });
      const probabilities: number[] = [];
      for await (const batch of source.inOrder(8))
        probabilities.push(...predictBatch(tf, halved, batch));
      return probabilities;
    };
    const [broken, zeroed] = [await withValue(NaN), await withValue(0)];
    halved.dispose();
    expect(broken).toEqual(zeroed);
    expect(broken).toHaveLength(20 * SHAPE.classes);
    expect(broken.every(Number.isFinite)).toBe(true);
  });

  it("may be missing in all rows of a batch but one, or in all, also in training", () => {
    const before = hashedWeights(SHAPE);
    // One row's deviation says nothing either: what is used after training stays as it is.
    for (const there of [[], [5]]) {
      const imagePresent = Array.from({ length: ROWS }, (_, row) => Number(there.includes(row)));
      const { logits, mean, variance } = trainForward({ imagePresent });
      expect(Array.from(logits).every(Number.isFinite)).toBe(true);
      expect(mean).toEqual(before.get("image_encoder.norm.running_mean")!.data);
      expect(variance).toEqual(before.get("image_encoder.norm.running_variance")!.data);
    }
  });

  it("gives a row the same output, whatever the other rows of its batch are", () => {
    const forward = (rows: readonly number[]): ArrayLike<number> =>
      tf.tidy(() =>
        model.forward(batchOf({ imagePresent: SOME, rows }), { training: false }).dataSync(),
      );
    const [all, alone] = [forward([4, 0, 7]), forward([4])];
    expect(alone).toBeAllClose(Array.from(all).slice(0, 4), { rtol: 1e-5, atol: 1e-6 });
  });
});

describe("gradients", () => {
  const labels = Array.from({ length: ROWS }, (_, row) => row % SHAPE.classes);
  const targets = softTargets(labels, Float32Array.of(0.5, 1, 2, 1), 0.1);

  /** The whole loss, dropout drawn from one seed, on a backend. */
  async function gradientsOn(backend: string): Promise<Map<string, Float32Array>> {
    await tf.setBackend(backend);
    const fresh = createFusion(tf, SHAPE, hashedWeights(SHAPE));
    const trainable = [...fresh.trainable];
    const gradients = tf.tidy(() => {
      const { grads } = tf.variableGrads(
        () => {
          const random = createRandom(9);
          const dropoutSeed = () => Math.floor(random() * 2 ** 32);
          const mode = { training: true, dropoutSeed } as const;
          const logits: Tensor2D = fresh.forward(batchOf({ imagePresent: SOME }), mode);
          return crossEntropy(tf, logits, targets);
        },
        trainable.map(([, variable]) => variable),
      );
      return Object.fromEntries(
        trainable.map(([name, variable]) => [name, copy(grads, variable.name)]),
      );
    });
    fresh.dispose();
    return new Map(Object.entries(gradients));
  }

  function copy(gradients: NamedTensorMap, name: string): Float32Array {
    return Float32Array.from(gradients[name]!.dataSync());
  }

  it("on wasm are the cpu backend's, dropout and missing rows included", async () => {
    const wasm = await gradientsOn("wasm");
    const cpu = await gradientsOn("cpu");
    await tf.setBackend("wasm");
    const statistics = /\.(running_mean|running_variance|mean|deviation)$/;
    const names = weightSlots(fusionGraph(SHAPE)).map(({ name }) => name);
    expect([...wasm.keys()]).toEqual(names.filter((name) => !statistics.test(name)));
    for (const [name, expected] of cpu) {
      // Nobody lacks the sound, so that nothing moves the vector that stands in for it.
      const moves = expected.some((value) => value !== 0);
      expect([name, moves]).toEqual([name, name !== "audio_encoder.missing"]);
      expect(wasm.get(name)!).toBeAllClose(expected, { rtol: 1e-3, atol: 1e-6 });
    }
  });
});

describe("standardising", () => {
  /** Class scores of all rows, with a mean and a deviation of the image. */
  function logitsWith(mean: number, deviation: number, batch: () => FusionBatch): number[] {
    const weights = hashedWeights(SHAPE);
    weights.set("image.mean", { shape: [6], data: new Float32Array(6).fill(mean) });
    weights.set("image.deviation", { shape: [6], data: new Float32Array(6).fill(deviation) });
    const fresh = createFusion(tf, SHAPE, weights);
    const logits = tf.tidy(() => [...fresh.forward(batch(), { training: false }).dataSync()]);
    fresh.dispose();
    return logits;
  }

  it("is a part of the model: it takes the values as the encoder gave them", () => {
    const raw = (): FusionBatch => {
      const { image, audio } = batchOf();
      return { image: { ...image!, values: tf.add(tf.mul(image!.values, 4), 8) }, audio: audio! };
    };
    const plain = logitsWith(0, 1, () => batchOf());
    // 8 and 4 are powers of 2: what rounding does is but little
    expect(logitsWith(8, 4, raw)).toBeAllClose(plain, { rtol: 1e-5, atol: 1e-5 });
    expect(logitsWith(0, 1, raw)).not.toBeAllClose(plain, { rtol: 1e-2, atol: 1e-2 });
  });

  it("does not bring a missing modality back, whatever its mean", () => {
    const batch = () => batchOf({ imagePresent: Array<number>(ROWS).fill(0), filler: 7.5 });
    expect(logitsWith(3, 2, batch)).toEqual(logitsWith(0, 1, batch));
  });
});

describe("fresh weights", () => {
  it("are the same for the same seed, byte for byte, and others for another", () => {
    const made = (seed: number) => initialWeights(fusionGraph(SHAPE), createRandom(seed));
    expect(bytesOf(made(3))).toBe(bytesOf(made(3)));
    expect(bytesOf(made(4))).not.toBe(bytesOf(made(3)));
  });

  it("start linear layers within ±1/√in, as PyTorch does, and fill that range", () => {
    const weights = initialWeights(fusionGraph(SHAPE), createRandom(1));
    const { data } = weights.get("image_encoder.dense2.kernel")!;
    const bound = 1 / Math.sqrt(512);
    const extreme = data.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    expect(extreme).toBeLessThanOrEqual(bound);
    expect(extreme).toBeGreaterThan(0.999 * bound);
  });

  it("leave out the modality that a model does not have", () => {
    const slots = weightSlots(fusionGraph({ image: 0, audio: 5, classes: 2 }));
    expect(slots.some(({ name }) => name.startsWith("image"))).toBe(false);
    expect(slots.find(({ name }) => name === "fusion_norm.gamma")?.shape).toEqual([256]);
  });
});
