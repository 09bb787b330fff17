import type { Sound } from "../audio/sound.ts";
import { concatenate, soundOf } from "../audio/sound.ts";
import { type EmbeddedFrame, createMean } from "../video/meanEmbedding.ts";
import { throwIfAborted } from "../errors.ts";
import type { Embedded } from "./embedInput.ts";

/** Window k is the time from k · step to k · step + window, seconds; there are as many as it takes to reach the end. */
export interface Windows {
  readonly window: number;
  /** At most the window. */
  readonly step: number;
}

/** What was found in each window of a video, or in each of a sound. */
export interface WindowParts {
  readonly parts: readonly Embedded[];
  /** Of the input, as far as this modality tells. */
  readonly seconds: number;
}

/** Times of frames are whole milliseconds in many containers: one this early (seconds) is on time. */
const EARLY = 0.0005;

/**
 * Gathers the means of the frames within each window.
 * @param fps frames a second that are looked at: each stands for the time until the next
 */
export function createFrameWindows({ window, step }: Windows, fps: number) {
  const means = new Map<number, ReturnType<typeof createMean>>();
  let last: number | undefined;
  return {
    add: ({ seconds, embedding }: EmbeddedFrame): void => {
      const time = seconds + EARLY;
      last = Math.max(last ?? 0, time);
      if (embedding === undefined) return;
      for (let k = Math.floor(time / step); k >= 0 && k * step + window > time; k -= 1) {
        const mean = means.get(k) ?? createMean(embedding.length);
        mean.add(embedding);
        means.set(k, mean);
      }
    },
    finish: (): WindowParts => {
      if (last === undefined) return { parts: [], seconds: 0 };
      const count = 1 + Math.max(0, Math.floor((last - window) / step) + 1);
      const parts = Array.from({ length: count }, (_, k): Embedded => {
        const mean = means.get(k);
        const embedding = mean?.value();
        return embedding === undefined
          ? { embedding, cause: "no face found" }
          : { embedding, facts: { faces: mean?.count() ?? 0 } };
      });
      return { parts, seconds: last - EARLY + 1 / fps };
    },
  };
}

/**
 * Cuts a sound, read once, into windows at its own rate and embeds each as a clip of its own.
 * @throws UserError E_INPUT_BROKEN when it cannot be read; E_ABORTED
 */
export async function embedSoundWindows(
  sound: Sound,
  { window, step }: Windows,
  embed: (sound: Sound) => Promise<Embedded>,
  signal: AbortSignal | undefined,
): Promise<WindowParts> {
  const { sampleRateHz } = sound;
  const startOf = (k: number): number => Math.round(k * step * sampleRateHz);
  const endOf = (k: number): number => Math.round((k * step + window) * sampleRateHz);
  const parts: Embedded[] = [];
  let blocks: Float32Array[] = []; // from the start of the next window on
  let from = 0;
  let length = 0;
  const embedNext = async (): Promise<void> => {
    throwIfAborted(signal);
    const held = blocks.length === 1 ? blocks[0]! : concatenate(blocks);
    const k = parts.length;
    const samples = held.slice(startOf(k) - from, endOf(k) - from);
    parts.push(await embed(soundOf(samples, sampleRateHz, sound.channels, sound.name)));
    blocks = [held.subarray(startOf(k + 1) - from)];
    from = startOf(k + 1);
  };
  await sound.read(async (block) => {
    blocks.push(block.slice());
    length += block.length;
    while (length >= endOf(parts.length)) await embedNext();
    return true;
  });
  if (parts.length === 0 || endOf(parts.length - 1) < length) await embedNext();
  return { parts, seconds: length / sampleRateHz };
}
