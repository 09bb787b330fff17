import { soundingFrames } from "../model/clips.ts";
import type { SessionInput } from "../onnx/session.ts";
import { TOP_DB } from "./decibels.ts";
import type { OnnxSoundInput } from "./onnxSoundInput.ts";

/** A clip as a network takes it. */
export interface SoundTensors {
  readonly inputs: Readonly<Record<string, SessionInput>>;
  /** Samples or frames. */
  readonly steps: number;
  /** The first step that is of the clip, and the one after its last: the others are padding. */
  readonly first: number;
  readonly end: number;
}

/** @param values of a waveform [steps], of log-mel [n_mels, steps] row-major, dB */
export function soundTensors(
  values: Float32Array,
  steps: number,
  input: OnnxSoundInput,
): SoundTensors {
  const fitted =
    input.kind === "waveform" ? waveform(values, steps, input) : logMel(values, steps, input);
  const { data, total, first, end } = fitted;
  const inputs = { [input.name]: { data, dims: fitted.dims } };
  const { mask } = input;
  if (mask === undefined) return { inputs, steps: total, first, end };
  const ones = Int32Array.from({ length: total }, (_, i) => (i >= first && i < end ? 1 : 0));
  const maskData = mask.type === "int32" ? ones : BigInt64Array.from(ones, BigInt);
  return {
    inputs: { ...inputs, [mask.name]: { data: maskData, dims: [1, total] } },
    steps: total,
    first,
    end,
  };
}

interface Fitted {
  readonly data: Float32Array;
  readonly dims: readonly number[];
  readonly total: number;
  readonly first: number;
  readonly end: number;
}

function waveform(
  samples: Float32Array,
  length: number,
  input: Extract<OnnxSoundInput, { kind: "waveform" }>,
): Fitted {
  const { rank, steps: total = length, doNormalize } = input;
  const { from, before, count } = placed(length, total, input);
  const clip = samples.slice(from, from + count);
  const data = new Float32Array(total);
  data.set(doNormalize ? normalised(clip) : clip, before);
  const dims = { 1: [total], 2: [1, total] }[rank] ?? [1, 1, total];
  return { data, dims, total, first: before, end: before + count };
}

/** Under the root, so that a constant clip is no division by zero. */
const LEAST_VARIANCE = 1e-7;

/** Zero mean and unit variance, as Wav2Vec2FeatureExtractor's do_normalize has it. */
function normalised(clip: Float32Array): Float32Array {
  const mean = clip.reduce((sum, value) => sum + value, 0) / clip.length;
  const variance = clip.reduce((sum, value) => sum + (value - mean) ** 2, 0) / clip.length;
  const deviation = Math.sqrt(variance + LEAST_VARIANCE);
  return clip.map((value) => (value - mean) / deviation);
}

function logMel(
  features: Float32Array,
  frames: number,
  input: Extract<OnnxSoundInput, { kind: "logmel" }>,
): Fitted {
  const { rank, layout, mean, std, steps: total = frames } = input;
  const { n_mels: mels } = input.config;
  const { from, before, count } = placed(frames, total, input);
  const sounding = soundingFrames(features, frames, mels);
  const data = new Float32Array(mels * total).fill((-TOP_DB - mean) / std);
  const [bandStep, frameStep] = layout === "nct" ? [total, 1] : [1, mels];
  for (let m = 0; m < mels; m += 1)
    for (let t = 0; t < count; t += 1)
      data[m * bandStep + (before + t) * frameStep] =
        ((features[m * frames + from + t] ?? 0) - mean) / std;
  const dims = layout === "nct" ? [mels, total] : [total, mels];
  const place = (t: number): number => before + Math.min(count, Math.max(0, t - from));
  return {
    data,
    dims: rank === 4 ? [1, 1, ...dims] : [1, ...dims],
    total,
    first: place(sounding.first),
    end: place(sounding.end),
  };
}

/**
 * The middle of `length` steps where `total` are wanted, or all of them with padding on both sides, as --fixed_duration has it. With a
 * mask the padding is behind them: Hugging Face's networks take nothing of a mask but its sum.
 */
function placed(
  length: number,
  total: number,
  { mask }: OnnxSoundInput,
): { readonly from: number; readonly before: number; readonly count: number } {
  const from = Math.max(0, Math.floor((length - total) / 2));
  const before = mask === undefined ? Math.max(0, Math.floor((total - length) / 2)) : 0;
  return { from, before, count: Math.min(length, total) };
}
