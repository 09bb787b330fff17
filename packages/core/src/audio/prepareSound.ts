import { UserError } from "../errors.ts";
import { collect, oneAtATime, openClip } from "./clip.ts";
import { createLogMelExtractor } from "./logMel.ts";
import type { LogMelConfig } from "./logMelConfig.ts";
import type { Sound } from "./sound.ts";

/** How a sound becomes an encoder's input: its samples as they are, at a rate, or its log-mel. */
export type SoundInput =
  | {
      readonly kind: "waveform";
      /** Hz */
      readonly sr: number;
      /** Of a longer clip those in its middle are taken; undefined: the whole clip is. */
      readonly samples: number | undefined;
    }
  | { readonly kind: "logmel"; readonly config: LogMelConfig };

export interface PreparedSound {
  /** Of a waveform [steps], nominally in [-1, 1]; of log-mel [n_mels, steps] row-major, dB. */
  readonly values: Float32Array;
  /** Samples or frames. */
  readonly steps: number;
  /** Nothing but zeros. */
  readonly silent: boolean;
  readonly durationSeconds: number;
  /** Seconds of it that count, before silence is trimmed. */
  readonly usedSeconds: number;
}

/** What a network that takes clips whole is given at most, seconds: attention takes memory with its square. */
const MOST_SECONDS = 300;

/**
 * Makes what an encoder takes. A waveform is the mean of the channels at the rate `sr`, neither trimmed nor scaled.
 * The preparer throws a UserError E_INPUT_BROKEN for a sound that cannot be read, or is too long to be taken whole.
 */
export function createSoundPreparer(input: SoundInput): (sound: Sound) => Promise<PreparedSound> {
  if (input.kind === "waveform") return (sound) => oneAtATime(() => waveformOf(sound, input));
  const extract = createLogMelExtractor(input.config);
  const { fixed_duration: fixed } = input.config;
  return async (sound) => {
    const { features, frames, silent, durationSeconds } = await extract(sound);
    const usedSeconds = fixed > 0 ? Math.min(durationSeconds, fixed) : durationSeconds;
    return { values: features, steps: frames, silent, durationSeconds, usedSeconds };
  };
}

async function waveformOf(
  sound: Sound,
  { sr, samples }: Extract<SoundInput, { kind: "waveform" }>,
): Promise<PreparedSound> {
  const clip = await openClip(sound, sr);
  if (samples === undefined && clip.length > MOST_SECONDS * sr)
    throw new UserError(
      "E_INPUT_BROKEN",
      `${sound.name}: must last at most ${MOST_SECONDS} s, as the network takes it whole, lasts ${Math.round(clip.durationSeconds)} s`,
      { hint: "cut it into pieces" },
    );
  const steps = Math.min(clip.length, samples ?? clip.length);
  const from = Math.floor((clip.length - steps) / 2);
  const values = await collect(clip, from, from + steps);
  return {
    values,
    steps,
    silent: values.every((value) => value === 0),
    durationSeconds: clip.durationSeconds,
    usedSeconds: Math.min(clip.durationSeconds, steps / sr),
  };
}
