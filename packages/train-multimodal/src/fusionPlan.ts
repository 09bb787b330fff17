import type { EncoderInfo } from "@emotion-service/core/hdf5/encoder";
import { writeCheckpoint } from "@emotion-service/core/model/checkpoint";
import {
  type FusionShape,
  MODALITIES,
  type Modality,
  createFusion,
  fusionGraph,
} from "@emotion-service/core/model/fusion";
import { type Weights, initialWeights } from "@emotion-service/core/model/graph";
import type { Batch } from "@emotion-service/core/model/rowSource";
import { fusionLearner, under } from "@emotion-service/core/model/fusionLearner";
import type { Plan } from "./plan.ts";
import { type ReadOptions, readSets } from "./readSets.ts";

/** Pairs of embeddings, and the fusion classifier that learns from them. */
export async function planFusion(
  options: ReadOptions,
  modalityDropout: number,
): Promise<Plan<Batch>> {
  const { inputs, ...sets } = await readSets(options);
  const statistics: Weights = new Map();
  const encoders: Partial<Record<Modality, EncoderInfo>> = {};
  for (const modality of MODALITIES) {
    const input = inputs[modality];
    if (input === undefined) continue;
    const { mean, deviation } = input.standardisation;
    statistics.set(`${modality}.mean`, { shape: [mean.length], data: mean });
    statistics.set(`${modality}.deviation`, { shape: [deviation.length], data: deviation });
    encoders[modality] = input.encoder;
  }
  const shape: FusionShape = {
    image: encoders.image?.dim ?? 0,
    audio: encoders.audio?.dim ?? 0,
    classes: sets.classes.length,
  };
  const { classes, matchBy } = sets;
  const hasBoth = shape.image > 0 && shape.audio > 0;
  return {
    ...sets,
    modalities: MODALITIES.filter((name) => shape[name] > 0),
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
        settings: { ...settings, modalityDropout, modalities: options.modalities },
      }),
    // Both modalities, and each alone.
    conditions: hasBoth
      ? {
          both: {},
          image_only: under({ hide: "audio", having: "image" }),
          audio_only: under({ hide: "image", having: "audio" }),
        }
      : {},
  };
}
