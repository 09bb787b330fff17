/**
 * An epoch of the convolutional audio model on made log-mel clips, as scripts/benchmark/audio_cnn.py has it with PyTorch.
 *
 *     node --import tsx scripts/benchmark/audioCnn.ts [--backend wasm] [--rows 640] [--epochs 3]
 *
 * Prints one JSON line: the median seconds of an epoch.
 */
import { parseArgs } from "node:util";
import { createAdamW } from "../../packages/core/src/model/adamW.ts";
import { AUDIO_FRAMES, AUDIO_MASK, audioCnnGraph } from "../../packages/core/src/model/audioCnn.ts";
import { type Tf, kernelHost, loadTensorFlow } from "../../packages/core/src/model/backend.ts";
import { BACKENDS } from "../../packages/core/src/model/backendNames.ts";
import { initialWeights } from "../../packages/core/src/model/graph.ts";
import { crossEntropy, softTargets } from "../../packages/core/src/model/loss.ts";
import { createNetwork } from "../../packages/core/src/model/network.ts";
import { createRandom, normal } from "../../packages/core/src/random.ts";

type Scalar = ReturnType<Tf["scalar"]>;
type Tensor2D = ReturnType<Tf["tensor2d"]>;

const { values } = parseArgs({
  options: {
    backend: { type: "string", default: "wasm" },
    rows: { type: "string", default: "640" },
    epochs: { type: "string", default: "3" },
  },
});
const [frames, mels, classes, batch] = [94, 64, 8, 64];
const [rows, epochs] = [Number(values.rows), Number(values.epochs)];
const { tf } = await loadTensorFlow(BACKENDS.find((name) => name === values.backend) ?? "wasm");
const random = createRandom(1);
const graph = audioCnnGraph({ mels, classes });
const network = createNetwork(tf, graph, initialWeights(graph, random));
const optimiser = createAdamW(
  tf,
  network.trainable,
  { weightDecay: 1e-5, gradClip: 1 },
  kernelHost(tf),
);
const clip = frames * mels;
const clips = Float32Array.from({ length: rows * clip }, () => normal(random));
const labels = Array.from({ length: rows }, () => Math.floor(random() * classes));
const seconds: number[] = [];
for (let epoch = 0; epoch < epochs; epoch += 1) {
  const start = performance.now();
  for (let row = 0; row + batch <= rows; row += batch) step(row);
  seconds.push((performance.now() - start) / 1000);
}
seconds.sort((a, b) => a - b);
console.log(JSON.stringify({ rows, median_epoch_seconds: seconds[seconds.length >> 1] }));

function step(row: number): void {
  tf.tidy(() => {
    const inputs = {
      [AUDIO_FRAMES]: tf.tensor3d(clips.slice(row * clip, (row + batch) * clip), [
        batch,
        frames,
        mels,
      ]),
      [AUDIO_MASK]: tf.ones([batch, frames]),
    };
    const weights = new Float32Array(classes).fill(1);
    const targets = softTargets(labels.slice(row, row + batch), weights, 0);
    const mode = { training: true, dropoutSeed: () => Math.floor(random() * 2 ** 32) } as const;
    const { value, grads } = tf.variableGrads(
      (): Scalar => crossEntropy(tf, network.forward(inputs, mode) as Tensor2D, targets),
      [...network.trainable.values()],
    );
    const named = [...network.trainable].map(([name, { name: own }]) => [name, grads[own]]);
    optimiser.step(Object.fromEntries(named), 1e-3);
    value.dataSync();
  });
}
