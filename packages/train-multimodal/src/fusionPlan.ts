import { type EncoderInfo, encoderToJson } from "@emotion-service/core/hdf5/encoder";
import {
  checkpointShape,
  readCheckpoint,
  writeCheckpoint,
} from "@emotion-service/core/model/checkpoint";
import {
  MODALITIES,
  type Modality,
  createFusion,
  fusionGraph,
} from "@emotion-service/core/model/fusion";
import { type Weights, initialWeights } from "@emotion-service/core/model/graph";
import type { Batch } from "@emotion-service/core/model/rowSource";
import { fusionLearner, under } from "@emotion-service/core/model/fusionLearner";
import { createRandom, normal } from "@emotion-service/core/random";
import type { Plan } from "./plan.ts";
import { type ReadOptions, readSets } from "./readSets.ts";

/** Pairs of embeddings, and the fusion classifier that learns from them. */
export async function planFusion(
  options: ReadOptions,
  modalityDropout: number,
): Promise<Plan<Batch>> {
  const { inputs, ...sets } = await readSets(options);
  const encoderFacts: Record<string, unknown> = {};
  const statistics: Weights = new Map();
  const encoders: Partial<Record<Modality, EncoderInfo>> = {};
  for (const modality of MODALITIES) {
    const input = inputs[modality];
    if (input === undefined) continue;
    const { mean, deviation } = input.standardisation;
    statistics.set(`${modality}.mean`, { shape: [mean.length], data: mean });
    statistics.set(`${modality}.deviation`, { shape: [deviation.length], data: deviation });
    encoders[modality] = input.encoder;
    encoderFacts[modality] = encoderToJson(input.encoder);
  }
  const { classes, matchBy } = sets;
  const shape = checkpointShape({ classes, encoders });
  const hasBoth = shape.image > 0 && shape.audio > 0;
  const ownSettings = { modalityDropout, modalities: options.modalities };
  return {
    ...sets,
    modalities: MODALITIES.filter((name) => shape[name] > 0),
    inputs: encoderFacts,
    ownSettings,
    statistics,
    initialWeights: (random) =>
      new Map([...initialWeights(fusionGraph(shape), random), ...statistics]),
    create: (tf, weights) => {
      const model = createFusion(tf, shape, weights);
      return { ...fusionLearner(tf, model, modalityDropout), dispose: () => model.dispose() };
    },
    write: (folder, { settings, ...saved }) =>
      writeCheckpoint(folder, {
        classes,
        encoders,
        matchBy,
        ...saved,
        settings: { ...settings, ...ownSettings },
      }),
    read: (folder) => readCheckpoint(folder, "--save_dir"),
    conditions: (seed) => ({
      ...(hasBoth && {
        both: {},
        image_only: under({ hide: "audio", having: "image" }),
        audio_only: under({ hide: "image", having: "audio" }),
      }),
      noise: { alter: noiseOf(statistics, createRandom(seed)) },
    }),
  };
}

/** Adds to each value normal noise of the deviation that it has over the training rows: as much noise as signal (0 dB). */
function noiseOf(statistics: Weights, random: () => number): (batch: Batch) => void {
  return ({ parts }) => {
    for (const modality of MODALITIES) {
      const values = parts[modality]?.values ?? new Float32Array();
      const deviation = statistics.get(`${modality}.deviation`)?.data ?? new Float32Array();
      for (let i = 0; i < values.length; i += 1)
        values[i] = (values[i] ?? 0) + (deviation[i % deviation.length] ?? 0) * normal(random);
    }
  };
}
