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
