import { mkdirSync, readFileSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Tf, loadTensorFlow } from "@emotion-service/core/model/backend";
import { createFusion } from "@emotion-service/core/model/fusion";
import type { Weights } from "@emotion-service/core/model/graph";
import type { TrainingState } from "@emotion-service/core/model/trainClassifier";
import { readTrainingState, writeTrainingState } from "@emotion-service/core/model/trainingState";
import { beforeAll, describe, expect, it } from "vitest";
import { temporaryFolder } from "../../../../test/command.ts";
import {
  CLASSES,
  type FusionSettings,
  SETTINGS,
  SHAPE,
  bytesOf,
  freshModel,
  planted,
  sourceOf,
  trainFusion,
} from "./planted.ts";

let tf: Tf;
beforeAll(async () => {
  ({ tf } = await loadTensorFlow("wasm"));
});

interface Stand {
  readonly weights: Weights;
  readonly state: TrainingState;
}

const train = planted({ rows: 80, withoutImage: (row) => row % 5 === 0 });
const val = planted({ rows: 40, seed: 2 });

/** How a training stands after its last epoch, begun anew or gone on with. */
async function standAfter(settings: Partial<FusionSettings>, from?: Stand): Promise<Stand> {
  const all = { ...SETTINGS, modalityDropout: 0.2, ...settings };
  const model = from === undefined ? freshModel(tf) : createFusion(tf, SHAPE, from.weights);
  let stand: Stand | undefined;
  await trainFusion(tf, model, {
    settings: all,
    classes: CLASSES,
    train: sourceOf(train),
    val: sourceOf(val),
    from: from?.state,
    onEpoch: (_record, _improved, weights, _seconds, { state }) =>
      (stand = { weights, state: state() }),
  });
  model.dispose();
  return stand!;
}

/** As a file keeps it. */
function written(state: TrainingState): string {
  const folder = join(temporaryFolder(), "last");
  mkdirSync(folder);
  writeTrainingState(folder, { setup: { "--lr": 0.1 }, state });
  return folder;
}

describe("a training that goes on", () => {
  it("has the weights, moments and history of one that never stopped, bit for bit", async () => {
    const whole = await standAfter({ epochs: 4 });
    const half = await standAfter({ epochs: 2 });
    const { setup, state } = readTrainingState(written(half.state));
    expect(setup).toEqual({ "--lr": 0.1 });
    expect(state).toEqual(half.state);
    const resumed = await standAfter({ epochs: 4 }, { weights: half.weights, state });
    expect(bytesOf(resumed.weights)).toBe(bytesOf(whole.weights));
    expect(resumed.state).toEqual(whole.state);
    // It is the state that does it: from the same weights alone another training comes out.
    const { history } = half.state;
    const anew = {
      history,
      random: half.state.random,
      optimiser: { steps: 0, moments: new Map() },
    };
    const other = await standAfter({ epochs: 4 }, { weights: half.weights, state: anew });
    expect(bytesOf(other.weights)).not.toBe(bytesOf(whole.weights));
  });

  it("trains nothing where its patience was at its end", async () => {
    const settings = { epochs: 30, earlyStop: 2 };
    const { weights, state } = await standAfter(settings);
    expect(state.history.length).toBeLessThan(30);
    expect(await standAfter(settings, { weights, state })).toBeUndefined();
  });
});

describe("a training state that cannot be read", () => {
  const state: TrainingState = {
    history: [],
    random: [1, 2, 3, 4],
    optimiser: {
      steps: 3,
      moments: new Map([["a", { first: Float32Array.of(1, 2), second: Float32Array.of(3, 4) }]]),
    },
  };

  it.each<[string, (folder: string) => void, RegExp]>([
    [
      "cut short",
      (folder) => truncateSync(join(folder, "training_state.bin"), 12),
      /holds no whole training state \(training_state\.bin must hold 4 values\)/,
    ],
    [
      "not JSON",
      (folder) => writeFileSync(join(folder, "training_state.json"), "{"),
      /holds no whole training state/,
    ],
    [
      "without its history",
      (folder) => {
        const path = join(folder, "training_state.json");
        const json = JSON.parse(readFileSync(path, "utf8")) as object;
        writeFileSync(path, JSON.stringify({ ...json, history: undefined }));
      },
      /lacks setup, history or random/,
    ],
    [
      "of a newer version",
      (folder) => {
        const path = join(folder, "training_state.json");
        const text = readFileSync(path, "utf8");
        writeFileSync(path, text.replace('"format_version": 1', '"format_version": 2'));
      },
      /is 'emotion-service training state' version 2/,
    ],
  ])("%s", (_, damage, message) => {
    const folder = written(state);
    damage(folder);
    expect(() => readTrainingState(folder)).toThrow(message);
  });

  it("is not there", () => {
    expect(() => readTrainingState(temporaryFolder())).toThrow(/must hold training_state\.json/);
  });
});
