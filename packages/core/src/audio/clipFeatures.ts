import { type ClipMeter, type FrameFeature, createFrameMeter, rowsOf } from "./frameFeatures.ts";
import { type LogMel, createLogMelExtractor, requireRoom } from "./logMel.ts";
import { type LogMelConfig } from "./logMelConfig.ts";
import { mfcc } from "./mfcc.ts";
import { type Sound, concatenate } from "./sound.ts";

/** A log-mel spectrogram with the extras below it: `features` is [n_mels and the rows of the extras in their order, frames]. */
export type ClipFeatures = LogMel;

/**
 * The log-mel spectrogram of a sound and what is wanted beside it, of the same frames.
 * @throws UserError E_FLAG when an extra cannot be had with these settings
 */
export function createFeatureExtractor(
  config: LogMelConfig,
  extras: readonly FrameFeature[],
): (sound: Sound) => Promise<ClipFeatures> {
  const extract = createLogMelExtractor(config);
  if (extras.length === 0) return (sound) => extract(sound);
  const startMeter = createFrameMeter(extras, config);
  const half = Math.floor(config.n_fft / 2);
  const rows = extras.reduce((sum, name) => sum + rowsOf(name, config), config.n_mels);
  return async (sound) => {
    let meter: ClipMeter | undefined;
    const logMel = await extract(sound, (frames, clipLength) => {
      requireRoom(frames * rows, sound.name);
      const { measure } = (meter = startMeter(frames));
      return (t, samples, power) =>
        measure(t, { samples, start: t * config.hop_length - half, clipLength, power });
    });
    const measured = meter?.finish();
    const { features, frames } = logMel;
    const parts = extras.map((name) =>
      name === "mfcc" ? mfcc(features, config.n_mels, frames) : measured?.get(name),
    );
    return {
      ...logMel,
      features: concatenate([features, ...parts.filter((part) => part !== undefined)]),
    };
  };
}
