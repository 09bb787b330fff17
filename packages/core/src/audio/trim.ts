/** librosa.effects.trim's defaults, in samples. */
const HOPS_PER_FRAME = 4;
export const TRIM_HOP = 512;
const AMIN = 1e-10;

/**
 * Where a clip lies between leading and trailing silence, as librosa.effects.trim (0.11) has it: a frame (2048 samples,
 * hop 512, centred, zero-padded) is silent when its RMS lies `topDb` or more below the loudest frame's.
 * @param energies sum of squares of every 512 samples, the last being what is left, [ceil(length / 512)]
 * @param length samples of the clip
 * @param topDb decibels, > 0
 * @returns first sample and the one after the last; all of it where no frame is louder than another
 */
export function trimBounds(
  energies: ArrayLike<number>,
  length: number,
  topDb: number,
): { readonly start: number; readonly end: number } {
  const power = framePower(energies, length);
  const loudest = power.reduce((a, b) => Math.max(a, b), AMIN);
  const isLoud = (value: number): boolean =>
    10 * Math.log10(Math.max(AMIN, value)) - 10 * Math.log10(loudest) > -topDb;
  const first = power.findIndex(isLoud);
  const last = power.findLastIndex(isLoud);
  return { start: first * TRIM_HOP, end: Math.min(length, (last + 1) * TRIM_HOP) };
}

/** Mean square of each centred frame, [1 + floor(length / hop)]. */
function framePower(energies: ArrayLike<number>, length: number): Float64Array {
  const power = new Float64Array(1 + Math.floor(length / TRIM_HOP));
  for (let frame = 0; frame < power.length; frame += 1) {
    let sum = 0;
    for (let hop = frame - HOPS_PER_FRAME / 2; hop < frame + HOPS_PER_FRAME / 2; hop += 1)
      sum += energies[hop] ?? 0;
    power[frame] = sum / (HOPS_PER_FRAME * TRIM_HOP);
  }
  return power;
}
