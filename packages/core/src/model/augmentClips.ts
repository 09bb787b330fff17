import { beta, normal } from "../random.ts";
import type { ClipBatch } from "./clips.ts";
import type { SoftTargets } from "./loss.ts";

/** How clips are changed before they are learnt from; 0 leaves that change out. */
export interface Augmentation {
  /** Bands of time a clip that are hidden (SpecAugment, Park et al. 2019), and the frames of the widest. */
  readonly timeMasks: number;
  readonly timeMaskFrames: number;
  /** Bands of frequency a clip that are hidden, and the mel bands of the widest. */
  readonly frequencyMasks: number;
  readonly frequencyMaskMels: number;
  /** Deviation of what is added to a whole clip, dB. */
  readonly gain: number;
  /** Deviation of what is added to each cell, dB. */
  readonly noise: number;
  /** Most frames that a clip is cut by at its beginning: which frames are pooled together differs. */
  readonly shift: number;
  /** α of the Beta(α, α) that clips and their targets are mixed by (mixup, Zhang et al. 2018). */
  readonly mixup: number;
}

/**
 * Changes a batch and its targets in place. What is hidden, and what lies behind a clip's end where it is mixed with a longer one, has
 * the band's mean.
 * @param mean of each mel band, [mels], dB
 */
export function augmentClips(
  batch: ClipBatch,
  targets: SoftTargets,
  mean: Float32Array,
  settings: Augmentation,
  random: () => number,
): void {
  for (let row = 0; row < batch.rows; row += 1) {
    const clip = clipOf(batch, row);
    shiftClip(clip, settings.shift, random);
    addGainAndNoise(clip, settings, random);
    hide(clip, mean, settings, random);
  }
  if (settings.mixup > 0) mix(batch, targets, mean, settings.mixup, random);
}

/** One row of a batch: views of it. */
interface Clip {
  readonly values: Float32Array;
  readonly mask: Float32Array;
  /** Frames within the clip. */
  length: number;
  readonly mels: number;
}

function clipOf({ frames, mels, values, mask }: ClipBatch, row: number): Clip {
  const own = mask.subarray(row * frames, (row + 1) * frames);
  const length = own.reduce((a, b) => a + b, 0);
  return {
    values: values.subarray(row * frames * mels, (row + 1) * frames * mels),
    mask: own,
    length,
    mels,
  };
}

const below = (count: number, random: () => number): number => Math.floor(random() * count);

function shiftClip(clip: Clip, most: number, random: () => number): void {
  const cut = below(Math.min(most, Math.floor(clip.length / 4)) + 1, random);
  if (cut === 0) return;
  clip.values.copyWithin(0, cut * clip.mels, clip.length * clip.mels);
  clip.values.fill(0, (clip.length - cut) * clip.mels);
  clip.mask.fill(0, clip.length - cut);
  clip.length -= cut;
}

function addGainAndNoise(
  { values, length, mels }: Clip,
  { gain, noise }: Augmentation,
  random: () => number,
): void {
  const level = gain * normal(random);
  for (let i = 0; i < length * mels; i += 1)
    values[i] = (values[i] ?? 0) + level + (noise > 0 ? noise * normal(random) : 0);
}

function hide(
  { values, length, mels }: Clip,
  mean: Float32Array,
  { timeMasks, timeMaskFrames, frequencyMasks, frequencyMaskMels }: Augmentation,
  random: () => number,
): void {
  for (let i = 0; i < timeMasks; i += 1) {
    const width = below(Math.min(timeMaskFrames, Math.floor(length / 4)) + 1, random);
    const first = below(length - width + 1, random);
    for (let t = first; t < first + width; t += 1) values.set(mean, t * mels);
  }
  for (let i = 0; i < frequencyMasks; i += 1) {
    const width = below(Math.min(frequencyMaskMels, mels) + 1, random);
    const first = below(mels - width + 1, random);
    for (let t = 0; t < length; t += 1)
      values.set(mean.subarray(first, first + width), t * mels + first);
  }
}

/** Mixes each row with another by one share of the batch, the larger one its own. */
function mix(
  batch: ClipBatch,
  { targets }: SoftTargets,
  mean: Float32Array,
  alpha: number,
  random: () => number,
): void {
  const { rows, frames, mels, values, mask } = batch;
  const drawn = beta(alpha, random);
  const share = Math.max(drawn, 1 - drawn);
  const classes = targets.length / rows;
  const step = 1 + below(rows - 1, random); // each row's other one
  const [before, masks, wanted] = [values.slice(), mask.slice(), targets.slice()];
  for (let row = 0; row < rows; row += 1) {
    const other = (row + step) % rows;
    for (let t = 0; t < frames; t += 1) {
      const [own, its] = [masks[row * frames + t] === 1, masks[other * frames + t] === 1];
      if (!own && !its) continue;
      mask[row * frames + t] = 1;
      for (let m = 0; m < mels; m += 1) {
        const at = (row * frames + t) * mels + m;
        const a = own ? (before[at] ?? 0) : (mean[m] ?? 0);
        const b = its ? (before[(other * frames + t) * mels + m] ?? 0) : (mean[m] ?? 0);
        values[at] = share * a + (1 - share) * b;
      }
    }
    for (let k = 0; k < classes; k += 1)
      targets[row * classes + k] =
        share * (wanted[row * classes + k] ?? 0) + (1 - share) * (wanted[other * classes + k] ?? 0);
  }
}
