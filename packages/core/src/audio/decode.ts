import { closeSync, openSync, readFileSync, readSync } from "node:fs";
import { UserError, causeOf } from "../errors.ts";
import { decodeFlac, isFlac } from "./flac.ts";
import { runFfmpeg } from "./ffmpeg.ts";
import { type Sound, decodeWav, isWav } from "./wav.ts";

/**
 * Decodes a sound file, or the sound of a video, to mono at its own rate: WAV and FLAC in this process,
 * the rest by ffmpeg.
 * @throws UserError E_INPUT_BROKEN when it cannot be decoded or holds no sound
 */
export async function decodeAudio(path: string): Promise<Sound> {
  const head = readHead(path);
  let sound: Sound | undefined;
  if (isWav(head)) sound = decodeWav(readFileSync(path), path);
  else if (isFlac(head)) sound = await decodeFlac(readFileSync(path));
  const decoded = sound ?? (await decodeByFfmpeg(path));
  const rate = decoded.sampleRateHz;
  if (rate < LOWEST_RATE_HZ || rate > HIGHEST_RATE_HZ)
    throw new UserError(
      "E_INPUT_BROKEN",
      `${path}: its sample rate must be from ${LOWEST_RATE_HZ} to ${HIGHEST_RATE_HZ} Hz, is ${rate}`,
    );
  if (!decoded.samples.every((sample) => Number.isFinite(sample)))
    throw new UserError("E_INPUT_BROKEN", `${path}: holds samples that are not finite numbers`);
  return decoded;
}

/** Beyond these a header is damaged, or resampling takes minutes. */
const LOWEST_RATE_HZ = 1000;
const HIGHEST_RATE_HZ = 384_000;

const HEAD_BYTES = 12;

function readHead(path: string): Uint8Array {
  try {
    const descriptor = openSync(path, "r");
    try {
      const head = new Uint8Array(HEAD_BYTES);
      if (readSync(descriptor, head) > 0) return head;
    } finally {
      closeSync(descriptor);
    }
  } catch (error) {
    throw new UserError("E_INPUT_BROKEN", `${path}: cannot be read (${causeOf(error)})`, {
      cause: error,
    });
  }
  throw new UserError("E_INPUT_BROKEN", `${path}: is empty (0 bytes)`);
}

/** ffmpeg writes WAV of 32-bit float to a pipe: rate and channels come in its header. */
async function decodeByFfmpeg(path: string): Promise<Sound> {
  const stream = await runFfmpeg(path, { format: "wav", options: ["-vn", "-c:a", "pcm_f32le"] });
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk as Buffer);
  const bytes = Buffer.concat(chunks);
  const sound = isWav(bytes) ? decodeWav(bytes, path) : undefined;
  if (sound === undefined) throw new UserError("E_INPUT_BROKEN", `${path}: holds no sound`);
  return sound;
}
