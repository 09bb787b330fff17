import { basename } from "node:path";
import { allFinite } from "../finite.ts";
import type { EncoderInfo } from "../hdf5/encoder.ts";
import type { Checkpoint } from "../model/checkpoint.ts";
import { type FusionUnits, MODALITIES, type Modality } from "../model/fusion.ts";
import { EPSILON, type Weight, type Weights } from "../model/graph.ts";
import { FUSION_HINT, damaged, printable, unsupported } from "./failures.ts";
import { classesOf } from "./pythonLabels.ts";
import { stateDictOf } from "./stateDict.ts";
import { readTorchFile } from "./torchFile.ts";

/**
 * The fusion classifier that the Python service saved: a dict with `model_state_dict`, whose layers are image_encoder and
 * audio_encoder (linear, batch norm, ReLU, dropout, linear, ReLU), fusion_norm and fusion (linear, ReLU, dropout, linear), of
 * any size, and `class_labels`. It does not standardise, takes zeros for a missing modality, and does not say what embedded
 * the rows that it was trained on: its encoders are "unknown". `flag` names where the path came from.
 * @throws UserError E_INPUT_MISSING without the file; E_INPUT_BROKEN for a damaged one; E_LAYOUT for another model
 */
export async function readPythonFusion(path: string, flag: string): Promise<Checkpoint> {
  return pythonFusionOf(await readTorchFile(path, flag), basename(path));
}

/** The same for the value that readTorchFile gave; `name` is the file's. */
export function pythonFusionOf(value: unknown, name: string): Checkpoint {
  const state = stateDictOf(value, name);
  const take = createTaker(state, name);
  const parts = new Map<Modality, EncoderPart>();
  for (const modality of MODALITIES) {
    const part = takeEncoder(state, take, `${modality}_encoder`);
    if (part !== undefined) parts.set(modality, part);
  }
  const head = takeHead(take);
  take.finish();
  const units = unitsOf([...parts.values()], head, name);
  const classes = classesOf(value, head.dense2.bias.data.length, name);
  const weights: Weights = new Map();
  for (const [modality, part] of parts) putEncoder(weights, modality, part);
  putHead(weights, head);
  const facts = value instanceof Map ? value : new Map<unknown, unknown>();
  const epoch: unknown = facts.get("epoch");
  return {
    classes,
    encoders: Object.fromEntries(
      [...parts].map(([modality, part]) => [modality, unknownEncoder(inputsOf(part.dense1))]),
    ),
    weights,
    units,
    matchBy: "unknown",
    epoch: typeof epoch === "number" ? epoch : 0,
    settings: {},
    metrics: {},
  };
}

/** Another program's encoder, of which only the size is known. */
export function unknownEncoder(dim: number): EncoderInfo {
  return { model: "unknown", weightsSha256: "unknown", featureConfig: "{}", dim };
}

/** A linear layer as PyTorch keeps it: weight [out, in], bias [out]. */
interface Linear {
  readonly weight: Weight;
  readonly bias: Weight;
}
interface BatchNorm extends Linear {
  readonly mean: Weight;
  readonly variance: Weight;
}
interface EncoderPart {
  readonly dense1: Linear;
  readonly norm: BatchNorm;
  readonly dense2: Linear;
}
interface Head {
  readonly norm: Linear;
  readonly dense1: Linear;
  readonly dense2: Linear;
}

interface Taker {
  linear(layer: string): Linear;
  /** gamma and beta, and the statistics where there are some. */
  norm(layer: string): Linear;
  batchNorm(layer: string): BatchNorm;
  /** @throws UserError E_LAYOUT when something was not taken: another model would give other outputs */
  finish(): void;
}

function createTaker(state: Weights, name: string): Taker {
  const left = new Set(state.keys());
  const take = (key: string, axes: number): Weight => {
    const weight = state.get(key);
    if (weight === undefined || weight.shape.length !== axes || weight.data.length === 0)
      throw unsupported(
        name,
        `must hold the Python service's fusion model, lacks '${key}' with ${axes} axes`,
        FUSION_HINT,
      );
    if (!allFinite(weight.data)) throw damaged(name, `'${key}' holds NaN or infinity`);
    left.delete(key);
    return weight;
  };
  const layer = (of: string, axes: number): Linear => {
    const [weight, bias] = [take(`${of}.weight`, axes), take(`${of}.bias`, 1)];
    if (weight.shape[0] !== bias.shape[0])
      throw damaged(name, `'${of}' has biases of another size`);
    return { weight, bias };
  };
  return {
    linear: (of) => layer(of, 2),
    norm: (of) => layer(of, 1),
    batchNorm: (of) => {
      left.delete(`${of}.num_batches_tracked`);
      const [mean, variance] = [take(`${of}.running_mean`, 1), take(`${of}.running_var`, 1)];
      return { ...layer(of, 1), mean, variance };
    },
    finish: () => {
      const [first] = left;
      if (first !== undefined)
        throw unsupported(
          name,
          `must hold the Python service's fusion model, holds '${printable(first)}' besides`,
          FUSION_HINT,
        );
    },
  };
}

/** An encoder; its layers count from 0, or from 1 where one without weights comes before. */
function takeEncoder(state: Weights, take: Taker, encoder: string): EncoderPart | undefined {
  if (![...state.keys()].some((key) => key.startsWith(`${encoder}.`))) return undefined;
  const first = state.get(`${encoder}.0.weight`) === undefined ? 1 : 0;
  return {
    dense1: take.linear(`${encoder}.${first}`),
    norm: take.batchNorm(`${encoder}.${first + 1}`),
    dense2: take.linear(`${encoder}.${first + 4}`),
  };
}

function takeHead(take: Taker): Head {
  return {
    norm: take.norm("fusion_norm"),
    dense1: take.linear("fusion.0"),
    dense2: take.linear("fusion.3"),
  };
}

/** Checks that each layer takes what the one before gives. */
function unitsOf(parts: readonly EncoderPart[], head: Head, name: string): FusionUnits {
  const [first] = parts;
  if (first === undefined)
    throw unsupported(
      name,
      "must hold the Python service's fusion model, has neither an image_encoder nor an audio_encoder",
      FUSION_HINT,
    );
  const units = {
    encoderHidden: outputsOf(first.dense1),
    encoderOut: outputsOf(first.dense2),
    headHidden: outputsOf(head.dense1),
  };
  const fits = parts.every(
    ({ dense1, norm, dense2 }) =>
      outputsOf(dense1) === units.encoderHidden &&
      inputsOf(dense2) === units.encoderHidden &&
      outputsOf(dense2) === units.encoderOut &&
      [norm.bias, norm.mean, norm.variance].every(
        ({ data }) => data.length === units.encoderHidden,
      ),
  );
  const joined = parts.length * units.encoderOut;
  if (
    !fits ||
    outputsOf(head.norm) !== joined ||
    inputsOf(head.dense1) !== joined ||
    inputsOf(head.dense2) !== units.headHidden
  )
    throw unsupported(
      name,
      "must hold the Python service's fusion model with encoders of one size; its layers do not fit together",
      FUSION_HINT,
    );
  return units;
}

function outputsOf({ bias }: Linear): number {
  return bias.data.length;
}

function inputsOf({ weight }: Linear): number {
  return weight.shape[1] ?? 0;
}

/** Sets an encoder's weights under our names: nothing is standardised, and what is missing is encoded as zeros. */
function putEncoder(weights: Weights, modality: Modality, part: EncoderPart): void {
  const name = `${modality}_encoder`;
  const dim = inputsOf(part.dense1);
  weights.set(`${modality}.mean`, { shape: [dim], data: new Float32Array(dim) });
  weights.set(`${modality}.deviation`, { shape: [dim], data: new Float32Array(dim).fill(1) });
  putDense(weights, `${name}.dense1`, part.dense1);
  putNorm(weights, `${name}.norm`, part.norm);
  weights.set(`${name}.norm.running_mean`, part.norm.mean);
  weights.set(`${name}.norm.running_variance`, part.norm.variance);
  putDense(weights, `${name}.dense2`, part.dense2);
  const missing = encodedZeros(part);
  weights.set(`${name}.missing`, { shape: [1, missing.length], data: missing });
}

function putHead(weights: Weights, head: Head): void {
  putNorm(weights, "fusion_norm", head.norm);
  putDense(weights, "fusion.dense1", head.dense1);
  putDense(weights, "fusion.dense2", head.dense2);
}

function putDense(weights: Weights, name: string, { weight, bias }: Linear): void {
  weights.set(`${name}.kernel`, transposed(weight));
  weights.set(`${name}.bias`, bias);
}

function putNorm(weights: Weights, name: string, { weight, bias }: Linear): void {
  weights.set(`${name}.gamma`, weight);
  weights.set(`${name}.beta`, bias);
}

/** [out, in] → [in, out] */
function transposed({ shape: [rows = 0, columns = 0], data }: Weight): Weight {
  const turned = new Float32Array(data.length);
  for (let row = 0; row < rows; row += 1)
    for (let column = 0; column < columns; column += 1)
      turned[column * rows + row] = data[row * columns + column]!;
  return { shape: [columns, rows], data: turned };
}

/** An encoder's output where its input is zeros, [encoderOut]: what the Python service feeds for a missing modality. */
function encodedZeros({ dense1, norm, dense2 }: EncoderPart): Float32Array {
  const hidden = Float64Array.from(dense1.bias.data, (bias, unit) => {
    const deviation = Math.sqrt(norm.variance.data[unit]! + EPSILON);
    const normed = (bias - norm.mean.data[unit]!) / deviation;
    return Math.max(0, normed * norm.weight.data[unit]! + norm.bias.data[unit]!);
  });
  return Float32Array.from(dense2.bias.data, (bias, unit) => {
    let sum = bias;
    for (let i = 0; i < hidden.length; i += 1)
      sum += hidden[i]! * dense2.weight.data[unit * hidden.length + i]!;
    return Math.max(0, sum);
  });
}
