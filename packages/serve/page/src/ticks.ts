import { hzToMel } from "@emotion-service/core/audio/mel";

/** Steps of an axis in seconds that people count in. */
const STEPS = [0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1200, 1800, 3600];

/** Places for labels on an axis of `seconds`, at most `most` of them. */
export function timeTicks(seconds: number, most: number): number[] {
  const step = STEPS.find((each) => seconds / each <= most - 1) ?? Math.ceil(seconds / most);
  const count = Math.floor(seconds / step + 1e-9) + 1;
  return Array.from({ length: count }, (_, i) => Math.round(i * step * 1e6) / 1e6);
}

/** A label beside a drawing; `at`: its middle, from the top (0) to the bottom (1). */
export interface YLabel {
  readonly text: string;
  readonly at: number;
}

const LABELLED_HZ = [250, 500, 1000, 2000, 4000, 8000, 16_000];

/** Frequencies at the height of the band whose centre they are: bands are evenly spaced in mel, from 0 Hz to the top. */
export function frequencyLabels(mels: number, topHz: number): YLabel[] {
  const bandsPerMel = (mels + 1) / hzToMel(topHz);
  return LABELLED_HZ.map((hz) => ({
    text: String(hz),
    at: 1 - (hzToMel(hz) * bandsPerMel - 0.5) / mels,
  })).filter(({ at }) => at >= 0 && at <= 1);
}
