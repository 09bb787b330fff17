import type { Scalar, Tensor2D } from "@tensorflow/tfjs";
import { AUDIO_FRAMES, AUDIO_MASK, audioCnnGraph } from "@emotion-service/core/model/audioCnn";
import { type Tf, loadTensorFlow } from "@emotion-service/core/model/backend";
import { initialWeights } from "@emotion-service/core/model/graph";
import { crossEntropy, softTargets } from "@emotion-service/core/model/loss";
import { type Network, createNetwork } from "@emotion-service/core/model/network";
import { createRandom, normal } from "@emotion-service/core/random";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

const GRAPH = audioCnnGraph({ mels: 16, classes: 3 });

let tf: Tf;
beforeAll(async () => {
  ({ tf } = await loadTensorFlow("wasm"));
});
afterAll(async () => {
  await tf.setBackend("wasm");
});

const create = (): Network => createNetwork(tf, GRAPH, initialWeights(GRAPH, createRandom(3)));

/** Clips of so many frames, in a batch of `frames`; `filler` stands behind each clip's end. */
function inputsOf(lengths: readonly number[], frames: number, filler = 0) {
  const random = createRandom(7);
  const clips = lengths.map((length) => Array.from({ length: length * 16 }, () => normal(random)));
  const rest = (clip: number[]) => Array<number>(frames * 16 - clip.length).fill(filler);
  const values = clips.flatMap((clip) => [...clip, ...rest(clip)]);
  const mask = lengths.flatMap((length) =>
    Array.from({ length: frames }, (_, t) => Number(t < length)),
  );
  return {
    [AUDIO_FRAMES]: tf.tensor3d(values, [lengths.length, frames, 16]),
    [AUDIO_MASK]: tf.tensor2d(mask, [lengths.length, frames]),
  };
}

describe("audio_cnn", () => {
  it("gives a clip the same scores, however long the padding behind it and whatever stands there", () => {
    const network = create();
    const scores = (frames: number, filler: number): number[] =>
      tf.tidy(() => [
        ...network.forward(inputsOf([37, 48], frames, filler), { training: false }).dataSync(),
      ]);
    const shortest = scores(48, 0);
    for (const [frames, filler] of [
      [48, 5],
      [64, 0],
      [100, -3],
    ] as const)
      expect(scores(frames, filler)).toBeAllClose(shortest, { rtol: 1e-5, atol: 1e-6 });
    network.dispose();
  });

  it("gives a clip in a padded batch what it gives the clip by itself, within 1e-5", () => {
    const network = create();
    const lengths = [37, 90, 16, 64];
    const run = (inputs: ReturnType<typeof inputsOf>): number[] => [
      ...network.forward(inputs, { training: false }).dataSync(),
    ];
    tf.tidy(() => {
      const inputs = inputsOf(lengths, 100, 7);
      const together = run(inputs);
      const alone = lengths.flatMap((length, clip) =>
        run({
          [AUDIO_FRAMES]: inputs[AUDIO_FRAMES].slice([clip, 0, 0], [1, length, 16]),
          [AUDIO_MASK]: inputs[AUDIO_MASK].slice([clip, 0], [1, length]),
        }),
      );
      expect(together).toBeAllClose(alone, { rtol: 0, atol: 1e-5 });
    });
    network.dispose();
  });

  it("has the same gradients on wasm and on the cpu backend", async () => {
    const targets = softTargets([0, 2, 1], Float32Array.of(1, 2, 0.5), 0.1);
    const gradientsOn = async (backend: string): Promise<Map<string, Float32Array>> => {
      await tf.setBackend(backend);
      const network = create();
      const before = tf.memory().numTensors;
      const found = new Map<string, Float32Array>();
      tf.tidy(() => {
        const inputs = inputsOf([37, 48, 20], 48);
        const { grads } = tf.variableGrads((): Scalar => {
          const logits = network.forward(inputs, { training: true, dropoutSeed: () => 9 });
          return crossEntropy(tf, logits as Tensor2D, targets);
        }, [...network.trainable.values()]);
        for (const [name, { name: own }] of network.trainable)
          found.set(name, Float32Array.from(grads[own]!.dataSync()));
      });
      expect(tf.memory().numTensors).toBe(before);
      network.dispose();
      return found;
    };
    const wasm = await gradientsOn("wasm");
    const cpu = await gradientsOn("cpu");
    for (const [name, expected] of cpu) {
      const largest = expected.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
      expect(largest).toBeGreaterThan(0);
      // Four batch norms of float32 sums in another order, one upon the other.
      expect(wasm.get(name)!).toBeAllClose(expected, { rtol: 1e-3, atol: 1e-4 * largest });
    }
  });
});
