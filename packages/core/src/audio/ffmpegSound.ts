import { UserError } from "../errors.ts";
import { bytesOfArray } from "./bytes.ts";
import { runFfmpeg } from "./ffmpeg.ts";
import { type OnSoundBlock, type Sound, concatenate, soundOf } from "./sound.ts";
import { monoOf } from "./wav.ts";
import { type WavLayout, isWav, readWavLayout } from "./wavLayout.ts";

/** Mono samples of a sound that are kept, so that ffmpeg need not run again: 16 MiB. */
const MOST_KEPT = 1 << 22;

/**
 * The sound of any file that ffmpeg reads. A short one stays in memory; for a long one ffmpeg runs again at each read.
 * @throws UserError E_INPUT_BROKEN when ffmpeg cannot read it, or it holds no sound
 */
export async function openByFfmpeg(path: string, limitMs?: number): Promise<Sound> {
  const blocks: Float32Array[] = [];
  let kept = 0;
  const facts = await runOnce(path, limitMs, (block) => {
    blocks.push(block.slice());
    kept += block.length;
    return kept <= MOST_KEPT;
  });
  if (kept <= MOST_KEPT)
    return soundOf(concatenate(blocks), facts.sampleRateHz, facts.channels, path);
  return {
    name: path,
    sampleRateHz: facts.sampleRateHz,
    channels: facts.channels,
    read: async (onBlock) => {
      await runOnce(path, limitMs, onBlock);
    },
  };
}

/** ffmpeg writes WAV of 32-bit float to a pipe: rate and channels come in its header, which is shorter than this. */
const HEAD_BYTES = 512;

/** Runs ffmpeg, hands out its blocks until `onBlock` says false, and ends it. */
async function runOnce(
  path: string,
  limitMs: number | undefined,
  onBlock: OnSoundBlock,
): Promise<Pick<Sound, "sampleRateHz" | "channels">> {
  const output = { format: "wav", options: ["-vn", "-c:a", "pcm_f32le"] };
  const stream = await runFfmpeg(path, output, { limitMs });
  let layout: WavLayout | undefined;
  let held: Buffer = Buffer.alloc(0);
  let taken = 0;
  const takeFrames = async (): Promise<boolean> => {
    layout ??= readWavLayout(bytesOfArray(held), path);
    const frameBytes = layout.channels * layout.bytesPerSample;
    const start = taken === 0 ? layout.dataStart : 0;
    const frames = Math.floor(Math.max(0, held.length - start) / frameBytes);
    if (frames === 0) return true;
    const end = start + frames * frameBytes;
    const block = monoOf(held.subarray(start, end), frames, layout);
    held = held.subarray(end);
    taken += frames;
    return onBlock(block);
  };
  for await (const chunk of stream) {
    held = held.length === 0 ? (chunk as Buffer) : Buffer.concat([held, chunk as Buffer]);
    if ((layout !== undefined || held.length >= HEAD_BYTES) && !(await takeFrames())) break;
  }
  if (taken === 0 && isWav(held)) await takeFrames();
  if (layout === undefined || taken === 0)
    throw new UserError("E_INPUT_BROKEN", `${path}: holds no sound`);
  return layout;
}
