import { UserError } from "../errors.ts";

/** A sound that can be read again and again, block by block: what a file, a program or an array holds. */
export interface Sound {
  /** The file, for messages. */
  readonly name: string;
  readonly sampleRateHz: number;
  /** Channels of the source, before they were averaged. */
  readonly channels: number;
  /**
   * Reads from the start: mono blocks [n], the mean of the channels, nominally in [-1, 1] (float files may exceed it).
   * A block is lent until `onBlock` returns, which says false to stop; where it returns a promise, reading waits for it.
   */
  read(onBlock: OnSoundBlock): Promise<void>;
}

export type OnSoundBlock = (block: Float32Array) => boolean | Promise<boolean>;

/**
 * A sound that may last at most so many seconds: however much its file claims to hold, no more is read.
 * Its `read` throws a UserError E_LIMIT where more comes.
 */
export function withinSeconds(sound: Sound, seconds = Infinity): Sound {
  if (seconds === Infinity) return sound;
  return {
    ...sound,
    read: (onBlock) => {
      let left = Math.ceil(seconds * sound.sampleRateHz);
      return sound.read((block) => {
        left -= block.length;
        if (left < 0) throw tooLong(sound.name, seconds);
        return onBlock(block);
      });
    },
  };
}

/** What is refused where a sound or a video is longer than it may be. */
export function tooLong(name: string, seconds: number): UserError {
  return new UserError("E_LIMIT", `${name}: must last at most ${seconds} s, lasts longer`, {
    hint: "send a part of it",
  });
}

/** A sound of samples [n] that are there. */
export function soundOf(
  samples: Float32Array,
  sampleRateHz: number,
  channels = 1,
  name = "sound",
): Sound {
  return {
    name,
    sampleRateHz,
    channels,
    read: async (onBlock) => {
      await onBlock(samples);
    },
  };
}

/** All samples of a sound, [n]. */
export async function samplesOf(sound: Sound): Promise<Float32Array> {
  const blocks: Float32Array[] = [];
  await sound.read((block) => blocks.push(block.slice()) > 0);
  return concatenate(blocks);
}

/** Arrays one after another. */
export function concatenate(blocks: readonly Float32Array[]): Float32Array {
  const whole = new Float32Array(blocks.reduce((sum, block) => sum + block.length, 0));
  let at = 0;
  for (const block of blocks) {
    whole.set(block, at);
    at += block.length;
  }
  return whole;
}
