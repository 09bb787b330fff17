export const PAD_MODES = ["constant", "reflect", "wrap"] as const;

/** The settings of the features, named as the flags, the attributes and librosa name them. */
export interface LogMelConfig {
  /** Hz */
  readonly sr: number;
  /** samples */
  readonly n_fft: number;
  /** samples */
  readonly hop_length: number;
  readonly n_mels: number;
  /** seconds; 0: as long as the clip is */
  readonly fixed_duration: number;
  /** decibels below the loudest frame; 0: no trimming */
  readonly top_db: number;
  /** how the ends are padded so that frames are centred */
  readonly pad_mode: (typeof PAD_MODES)[number];
}

export const DEFAULT_LOG_MEL: LogMelConfig = {
  sr: 16_000,
  n_fft: 1024,
  hop_length: 512,
  n_mels: 64,
  fixed_duration: 3,
  top_db: 20,
  pad_mode: "constant",
};

/** Frames of n samples padded by floor(n_fft / 2) at either end: an odd frame finds one place less. */
export function frameCount(
  samples: number,
  { n_fft: nFft, hop_length: hop }: LogMelConfig,
): number {
  return 1 + Math.max(0, Math.floor((samples - (nFft % 2)) / hop));
}

/** Frames of every clip at a fixed duration. */
export function fixedFrames(config: LogMelConfig): number {
  return frameCount(fixedSamples(config), config);
}

export function fixedSamples({ fixed_duration: seconds, sr }: LogMelConfig): number {
  return Math.round(seconds * sr);
}
