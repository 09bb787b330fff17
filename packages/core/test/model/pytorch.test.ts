import type { NamedTensorMap, Tensor2D } from "@tensorflow/tfjs";
import { createAdamW } from "@emotion-service/core/model/adamW";
import { type Tf, kernelHost, loadTensorFlow } from "@emotion-service/core/model/backend";
import {
  type FusionBatch,
  type FusionModel,
  createFusion,
} from "@emotion-service/core/model/fusion";
import { crossEntropy, softTargets } from "@emotion-service/core/model/loss";
import { createSchedule } from "@emotion-service/core/model/schedule";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { hashedValues, hashedWeights, reference } from "./reference.ts";

const { fusion, adamw } = reference;
/** The dropout layers draw by the seeds 1, 2 and 3. */
function training() {
  let seed = 0;
  return { training: true, dropoutSeed: () => (seed += 1) } as const;
}

let tf: Tf;
beforeAll(async () => {
  ({ tf } = await loadTensorFlow("wasm"));
});

/** The inputs of the reference; a row that lacks a modality has zeros there. */
function batchOf(present: { readonly image: number[]; readonly audio: number[] }): FusionBatch {
  const modality = (name: "image" | "audio", seed: number) => {
    const columns = fusion.shape[name];
    const values = hashedValues(seed, fusion.rows * columns, -2, 2);
    const zeroed = values.map((value, i) => value * present[name][Math.floor(i / columns)]!);
    return {
      values: tf.tensor2d(zeroed, [fusion.rows, columns]),
      present: tf.tensor2d(present[name], [fusion.rows, 1]),
    };
  };
  return { image: modality("image", 101), audio: modality("audio", 102) };
}

/** Loss and gradients by our names. */
function lossAndGradients(model: FusionModel, batch: FusionBatch) {
  const trainable = [...model.trainable];
  const targets = softTargets(
    fusion.labels,
    Float32Array.from(fusion.class_weights),
    fusion.label_smoothing,
  );
  const { value, grads } = tf.variableGrads(
    () => crossEntropy(tf, model.forward(batch, training()), targets),
    trainable.map(([, variable]) => variable),
  );
  const gradients: NamedTensorMap = Object.fromEntries(
    trainable.map(([name, variable]) => [name, grads[variable.name]!]),
  );
  return { loss: value.dataSync()[0]!, gradients };
}

describe("the fusion classifier, as PyTorch has it", () => {
  let model: FusionModel;
  beforeAll(() => {
    model = createFusion(tf, fusion.shape, hashedWeights(fusion.shape));
  });
  afterAll(() => model.dispose());

  it("gives its logits from running statistics", () => {
    const everywhere = Array<number>(fusion.rows).fill(1);
    const logits = tf.tidy(() =>
      model.forward(batchOf({ image: everywhere, audio: everywhere }), { training: false }),
    );
    // float32 sums of up to 512 terms in another order
    expect(logits.dataSync()).toBeAllClose(fusion.eval_logits, { rtol: 1e-5, atol: 1e-6 });
  });

  it("trains as its own does where an encoder never sees the rows that lack its modality", () => {
    const settings = { weightDecay: fusion.weight_decay, gradClip: fusion.grad_clip };
    const optimiser = createAdamW(tf, model.trainable, settings, kernelHost(tf));
    const start = tf.tidy(() => model.forward(batchOf(fusion.present), training()).dataSync());
    expect(start).toBeAllClose(fusion.train.logits, { rtol: 1e-5, atol: 5e-6 });
    const running = Object.keys(fusion.train.running);
    expect(running).toHaveLength(4);
    for (const name of running)
      expect(model.variables.get(name)!.dataSync().slice(0, 8)).toBeAllClose(
        fusion.train.running[name]!,
        { rtol: 1e-5, atol: 1e-6 },
      );
    const losses = Array.from({ length: fusion.train.losses.length }, (_, step) =>
      tf.tidy(() => {
        const { loss, gradients } = lossAndGradients(model, batchOf(fusion.present));
        if (step === 0) expectGradients(gradients);
        optimiser.step(gradients, fusion.lr);
        return loss;
      }),
    );
    optimiser.dispose();
    expect(losses).toBeAllClose(fusion.train.losses, { rtol: 1e-4, atol: 0 });
  });

  function expectGradients(gradients: NamedTensorMap): void {
    expect(Object.keys(gradients).sort()).toEqual(Object.keys(fusion.train.gradients).sort());
    for (const [name, { norm, first }] of Object.entries(fusion.train.gradients)) {
      const values = gradients[name]!.dataSync() as Float32Array;
      const ours = Math.sqrt(values.reduce((sum, value) => sum + value * value, 0));
      // The gradient of a bias before batch norm is zero but for rounding: hence the absolute part.
      const tolerance = { rtol: 1e-4, atol: 1e-6 };
      expect([ours]).toBeAllClose([norm], tolerance);
      expect(values.slice(0, 6)).toBeAllClose(first, tolerance);
    }
  }
});

it.each(["by the kernel", "composed"])(
  "AdamW with clipping moves parameters as torch.optim.AdamW after clip_grad_norm_, %s",
  (way) => {
    const variables = new Map(
      adamw.start.map((values, i) => [`p${i}`, tf.tidy(() => tf.variable(tf.tensor1d(values)))]),
    );
    const settings = { weightDecay: adamw.weight_decay, gradClip: adamw.grad_clip };
    const host = way === "composed" ? undefined : kernelHost(tf);
    const optimiser = createAdamW(tf, variables, settings, host);
    const norms = adamw.steps.map(({ norm }) => norm);
    // Some steps are clipped, some are not.
    expect(Math.max(...norms)).toBeGreaterThan(adamw.grad_clip);
    expect(Math.min(...norms)).toBeLessThan(adamw.grad_clip);
    for (const { lr, gradients, parameters } of adamw.steps)
      tf.tidy(() => {
        optimiser.step(Object.fromEntries(gradients.map((g, i) => [`p${i}`, tf.tensor1d(g)])), lr);
        for (const [i, expected] of parameters.entries())
          expect(variables.get(`p${i}`)!.dataSync()).toBeAllClose(expected, {
            rtol: 0,
            atol: 1e-6,
          });
      });
    optimiser.dispose();
    tf.dispose([...variables.values()]);
  },
);

it.each(reference.cross_entropy.cases)(
  "cross entropy, weights $class_weights, smoothing $label_smoothing",
  ({ class_weights, label_smoothing, loss }) => {
    const { logits, labels } = reference.cross_entropy;
    const ours = tf.tidy(() => {
      const scores: Tensor2D = tf.tensor2d(logits, [labels.length, class_weights.length]);
      const targets = softTargets(labels, Float32Array.from(class_weights), label_smoothing);
      return crossEntropy(tf, scores, targets).dataSync()[0]!;
    });
    expect([ours]).toBeAllClose([loss], { rtol: 1e-6, atol: 0 });
  },
);

describe("learning rates", () => {
  const { steps, lr, max_lr } = reference.schedules;
  it.each(["onecycle", "cosine"] as const)("%s, as torch.optim.lr_scheduler", (name) => {
    const rate = createSchedule(name, { lr, maxLr: max_lr, steps });
    const rates = Array.from({ length: steps }, (_, step) => rate(step));
    expect(rates).toBeAllClose(reference.schedules[name], { rtol: 1e-9, atol: 1e-15 });
  });

  it("none: the same throughout", () => {
    expect(createSchedule("none", { lr, maxLr: max_lr, steps })(29)).toBe(lr);
  });

  it.each([1, 2, 3, 4, 7])("onecycle stays within its peak and is never NaN: %i steps", (count) => {
    const rate = createSchedule("onecycle", { lr, maxLr: max_lr, steps: count });
    for (let step = 0; step < count; step += 1) {
      expect(rate(step)).toBeGreaterThan(0);
      expect(rate(step)).toBeLessThanOrEqual(max_lr);
    }
  });
});
