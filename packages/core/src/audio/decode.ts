import { UserError } from "../errors.ts";
import { bytesOfFile, sliceOf, withoutTags } from "./bytes.ts";
import { openByFfmpeg } from "./ffmpegSound.ts";
import { isFlac, openFlac } from "./flac.ts";
import type { Sound } from "./sound.ts";
import { openWav } from "./wav.ts";
import { isWav } from "./wavLayout.ts";

/** Beyond these a header is damaged, or resampling takes minutes. */
const LOWEST_RATE_HZ = 1000;
const HIGHEST_RATE_HZ = 384_000;
/** What tells WAV and FLAC. */
const HEAD_BYTES = 12;

/**
 * Opens a sound file, or the sound of a video, at its own rate: WAV and FLAC are decoded in this process, the rest by
 * ffmpeg. Nothing stays open between reads.
 * @param limitMs time that ffmpeg may take for one reading, milliseconds
 * @throws UserError E_INPUT_BROKEN when it cannot be decoded or holds no sound; so may `read`
 */
export async function openSound(path: string, limitMs?: number): Promise<Sound> {
  const sound = openInProcess(path, limitMs) ?? (await openByFfmpeg(path, limitMs));
  const rate = sound.sampleRateHz;
  if (rate >= LOWEST_RATE_HZ && rate <= HIGHEST_RATE_HZ) return sound;
  throw new UserError(
    "E_INPUT_BROKEN",
    `${path}: its sample rate must be from ${LOWEST_RATE_HZ} to ${HIGHEST_RATE_HZ} Hz, is ${rate}`,
  );
}

function openInProcess(path: string, limitMs?: number): Sound | undefined {
  const file = bytesOfFile(path);
  if (file.size === 0) throw new UserError("E_INPUT_BROKEN", `${path}: is empty (0 bytes)`);
  const bytes = withoutTags(file);
  const head = sliceOf(bytes, 0, HEAD_BYTES);
  if (isWav(head)) return openWav(bytes, path);
  return isFlac(head) ? openFlac(bytes, path, () => openByFfmpeg(path, limitMs)) : undefined;
}
