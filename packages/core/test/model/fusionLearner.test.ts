import { type Tf, loadTensorFlow } from "@emotion-service/core/model/backend";
import type { Condition } from "@emotion-service/core/model/fusionLearner";
import { beforeAll, describe, expect, it } from "vitest";
import {
  CLASSES,
  type FusionSettings,
  type LabelledSet,
  SETTINGS,
  bytesOf,
  evaluateFusion,
  freshModel,
  only,
  planted,
  sourceOf,
  trainFusion,
  trained,
  selectRows,
} from "./planted.ts";

let tf: Tf;
beforeAll(async () => {
  ({ tf } = await loadTensorFlow("wasm"));
});

const train = planted();
const val = planted({ seed: 2 });

/** Macro recall of a model trained on `set`, measured on `test`, with a modality withheld where asked. */
async function recall(
  set: LabelledSet,
  test: LabelledSet,
  settings: Partial<FusionSettings> = {},
  hide?: "image" | "audio",
): Promise<number> {
  const { model } = await trained(tf, set, test, settings);
  const { metrics } = await evaluateFusion(
    tf,
    model,
    sourceOf(test),
    CLASSES,
    hide === undefined ? {} : { hide },
  );
  model.dispose();
  return metrics.uar;
}

/** A digest of the weights that a training ends with. */
async function bytesAfter(set: LabelledSet, settings: Partial<FusionSettings>): Promise<string> {
  const { model } = await trained(tf, set, val, { epochs: 2, ...settings });
  const bytes = bytesOf(model.weights());
  model.dispose();
  return bytes;
}

describe("what is learnt", () => {
  it("both modalities, each of which knows half of the class, beat either", async () => {
    const both = await recall(train, val);
    const image = await recall(only("image", train), only("image", val));
    const audio = await recall(only("audio", train), only("audio", val));
    expect(both).toBeGreaterThan(0.9);
    // Of 4 classes, half of what one must know leaves a guess between two: 0.5, and a little by chance.
    expect(image).toBeGreaterThan(0.4);
    expect(image).toBeLessThan(0.6);
    expect(audio).toBeGreaterThan(0.4);
    expect(audio).toBeLessThan(0.6);
  });

  it("a model trained with modality dropout holds up when a modality is withheld", async () => {
    const easy = { knows: "whole", image: 12, audio: 6 } as const;
    const [set, test] = [planted(easy), planted({ ...easy, seed: 2 })];
    const [without, dropped] = [
      await recall(set, test, { epochs: 12 }, "image"),
      await recall(set, test, { epochs: 12, modalityDropout: 0.5 }, "image"),
    ];
    expect(dropped).toBeGreaterThan(0.8);
    expect(dropped).toBeGreaterThan(without + 0.1);
  });

  it("weights of the classes keep a rare one from being given up", async () => {
    // Two classes that overlap, 8 to 1: unweighted, the likeliest answer is nearly always the common one.
    const rare = (seed: number): LabelledSet => {
      const { dataset, classIds } = only("image", planted({ rows: 800, seed, image: 1.5 }));
      const kept = [...classIds.keys()].filter((row) => classIds[row]! % 2 === 0 || row % 8 === 0);
      return {
        dataset: selectRows(dataset, kept),
        classIds: Int32Array.from(kept, (row) => classIds[row]! % 2),
      };
    };
    const recallOfRare = async (classWeights: "balanced" | "none"): Promise<number> => {
      const [set, test] = [rare(1), rare(2)];
      const { model } = await trained(tf, set, test, { epochs: 3, classWeights });
      const { metrics } = await evaluateFusion(tf, model, sourceOf(test), CLASSES);
      model.dispose();
      return metrics.recall[CLASSES[1]!]!;
    };
    expect(await recallOfRare("balanced")).toBeGreaterThan((await recallOfRare("none")) + 0.2);
  });
});

describe("the seed", () => {
  it("gives the same weights, byte for byte; another seed gives others", async () => {
    const settings = { modalityDropout: 0.2, seed: 7 };
    const first = await bytesAfter(train, settings);
    expect(await bytesAfter(train, settings)).toBe(first);
    expect(await bytesAfter(train, { ...settings, seed: 8 })).not.toBe(first);
  });

  it("modality dropout takes nothing from a model or a row that has one modality alone", async () => {
    const image = only("image", train);
    const plain = await bytesAfter(image, {});
    expect(await bytesAfter(image, { modalityDropout: 0.9 })).toBe(plain);
    const silent = { ...train.dataset.audio!, present: new Uint8Array(train.dataset.rows) };
    const half = { ...train, dataset: { ...train.dataset, audio: silent } };
    expect(await bytesAfter(half, { modalityDropout: 0.9 })).toBe(await bytesAfter(half, {}));
  });
});

describe("the run", () => {
  it("keeps no tensor: not in a step, an evaluation or a saved copy of the weights", async () => {
    const model = freshModel(tf);
    const held = () => ({ ...tf.memory(), buffers: tf.engine().backend.numDataIds() });
    const before = held();
    const run = () =>
      trainFusion(tf, model, {
        settings: { ...SETTINGS, epochs: 1, modalityDropout: 0.2 },
        classes: CLASSES,
        train: sourceOf(train),
        val: sourceOf(val),
        onEpoch: () => {},
      });
    await run();
    await evaluateFusion(tf, model, sourceOf(val), CLASSES, { hide: "image", having: "audio" });
    model.weights();
    expect(held()).toMatchObject({ numTensors: before.numTensors, buffers: before.buffers });
    model.dispose();
    expect(held().numTensors).toBe(before.numTensors - model.variables.size);
  });

  it("ends when no epoch has been better for as long as --early_stop says", async () => {
    // A validation that contradicts what is learnt gets worse with every epoch.
    const wrong = { ...val, classIds: val.classIds.map((id) => (id + 1) % 4) };
    const { model, history, improved } = await trained(tf, train, wrong, {
      epochs: 40,
      earlyStop: 3,
    });
    model.dispose();
    expect(history.length).toBe(improved.at(-1)! + 3);
    expect(history.length).toBeLessThan(40);
    expect(history.map(({ epoch }) => epoch)).toEqual(history.map((_, i) => i + 1));
  });

  it("calls an epoch better by its macro recall, and by its loss where that is equal", async () => {
    const { model, history, improved } = await trained(tf, train, val);
    model.dispose();
    let best = history[0]!;
    const expected = history.filter((record) => {
      const better =
        record === best ||
        record.val_uar > best.val_uar ||
        (record.val_uar === best.val_uar && record.val_loss < best.val_loss);
      if (better) best = record;
      return better;
    });
    expect(improved).toEqual(expected.map(({ epoch }) => epoch));
    expect(history.at(-1)!.train_loss).toBeLessThan(history[0]!.train_loss);
  });

  it("stops between two steps when it is told to", async () => {
    const model = freshModel(tf);
    const controller = new AbortController();
    let steps = 0;
    const running = trainFusion(tf, model, {
      settings: SETTINGS,
      classes: CLASSES,
      train: sourceOf(train),
      val: sourceOf(val),
      onEpoch: () => {},
      onStep: () => {
        steps += 1;
        if (steps === 3) controller.abort();
      },
      signal: controller.signal,
    });
    await expect(running).rejects.toMatchObject({ code: "E_ABORTED" });
    expect(steps).toBe(3);
    model.dispose();
  });

  it("says so when the loss is no longer finite", async () => {
    const running = trained(tf, train, val, { lr: 1e20, gradClip: 0 });
    await expect(running).rejects.toMatchObject({
      code: "E_SETTINGS",
      message: expect.stringContaining("the loss must stay finite") as unknown,
    });
  });

  it("leaves out a last batch of one row, which has no deviation", async () => {
    const { model, history } = await trained(tf, planted({ rows: 33 }), val, { epochs: 1 });
    expect(history[0]!.train_loss).toBeGreaterThan(0);
    expect([...model.weights().values()].every(({ data }) => data.every(Number.isFinite))).toBe(
      true,
    );
    model.dispose();
  });
});

describe("what is measured", () => {
  const set = planted({ rows: 40, seed: 3, withoutImage: (row) => row % 3 === 0 });
  const kept = [...set.classIds.keys()].filter((row) => row % 3 !== 0);
  const having: LabelledSet = {
    dataset: selectRows(set.dataset, kept),
    classIds: Int32Array.from(kept, (row) => set.classIds[row]!),
  };
  const measure = async (measured: LabelledSet, condition?: Condition) => {
    const model = freshModel(tf);
    const result = await evaluateFusion(tf, model, sourceOf(measured), CLASSES, condition);
    model.dispose();
    return result;
  };

  it("a hidden modality is one that nobody has", async () => {
    const image = { ...set.dataset.image!, present: new Uint8Array(40) };
    const nobody = await measure({ ...set, dataset: { ...set.dataset, image } });
    expect(await measure(set, { hide: "image" })).toEqual(nobody);
    expect(await measure(set)).not.toEqual(nobody);
  });

  it("hiding takes nothing from the set itself", async () => {
    const model = freshModel(tf);
    const source = sourceOf(set);
    const before = await evaluateFusion(tf, model, source, CLASSES);
    await evaluateFusion(tf, model, source, CLASSES, { hide: "image" });
    expect(await evaluateFusion(tf, model, source, CLASSES)).toEqual(before);
    model.dispose();
  });

  it("the rows that have a modality alone are as a set of just those", async () => {
    const [some, alone] = [await measure(set, { having: "image" }), await measure(having)];
    expect(some.logits).toHaveLength(kept.length * CLASSES.length);
    // float32 sums, which a backend may take in another order for a batch of another size
    expect(some.logits).toBeAllClose(alone.logits, { rtol: 1e-5, atol: 1e-5 });
    expect([some.loss]).toBeAllClose([alone.loss], { rtol: 1e-5, atol: 0 });
    expect(some.metrics).toEqual(alone.metrics);
  });

  it("rows are all measured where they need more than one batch", async () => {
    const many = planted({ rows: 1100 });
    const { logits, metrics } = await measure(many);
    expect(logits).toHaveLength(1100 * CLASSES.length);
    const counted = metrics.confusion.flat().reduce((a, b) => a + b, 0);
    expect(counted).toBe(1100);
    const last = [...many.classIds.keys()].slice(1024);
    const tail = await measure({
      dataset: selectRows(many.dataset, last),
      classIds: many.classIds.slice(1024),
    });
    expect(logits.subarray(1024 * CLASSES.length)).toBeAllClose(tail.logits, {
      rtol: 1e-5,
      atol: 1e-5,
    });
  });
});
