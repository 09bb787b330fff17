/** librosa.effects.trim's defaults, in samples. */
const FRAME_LENGTH = 2048;
const HOP_LENGTH = 512;
const AMIN = 1e-10;

/**
 * Cuts leading and trailing silence, as librosa.effects.trim (0.11): a frame (2048 samples, hop 512, centred, zero-padded)
 * is silent when its RMS lies `topDb` or more below the loudest frame's.
 * @param samples [n]
 * @param topDb decibels, > 0
 * @returns a view of `samples`; empty only when `samples` is
 */
export function trimSilence(samples: Float32Array, topDb: number): Float32Array {
  const power = framePower(samples);
  const loudest = Math.max(
    AMIN,
    power.reduce((a, b) => Math.max(a, b), 0),
  );
  const isLoud = (value: number): boolean =>
    10 * Math.log10(Math.max(AMIN, value)) - 10 * Math.log10(loudest) > -topDb;
  const first = power.findIndex(isLoud);
  if (first === -1) return samples.subarray(0, 0);
  const last = power.findLastIndex(isLoud);
  return samples.subarray(first * HOP_LENGTH, Math.min(samples.length, (last + 1) * HOP_LENGTH));
}

/** Mean square of each centred frame, [1 + floor(n / hop)]. */
function framePower(samples: Float32Array): Float64Array {
  const frames = 1 + Math.floor(samples.length / HOP_LENGTH);
  // Frames are 4 hops long and start on a hop: sum each hop once.
  const hops = new Float64Array(frames + 1);
  for (let hop = 0; hop <= frames; hop += 1) {
    const end = Math.min(samples.length, (hop + 1) * HOP_LENGTH);
    let sum = 0;
    for (let i = hop * HOP_LENGTH; i < end; i += 1) sum += (samples[i] ?? 0) ** 2;
    hops[hop] = sum;
  }
  const power = new Float64Array(frames);
  for (let frame = 0; frame < frames; frame += 1) {
    let sum = 0;
    for (let hop = frame - 2; hop < frame + 2; hop += 1) sum += hops[hop] ?? 0;
    power[frame] = sum / FRAME_LENGTH;
  }
  return power;
}
