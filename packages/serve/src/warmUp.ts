import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Predictor } from "@emotion-service/core/predict/predictor";

/** An aligned picture goes to the encoder as it is, in a larger one a face is looked for. */
const PICTURES = [
  { width: 96, height: 96 },
  { width: 640, height: 480 },
] as const;
const RATE_HZ = 16_000;
const TONE_HZ = 440;

/**
 * Runs made pictures and a tone through a predictor: encoders load with the first input, and compilers learn from it.
 * @throws UserError when an encoder cannot be loaded
 */
export async function warmUp(predictor: Predictor): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "emotion-service-warm-"));
  const look = {
    fps: 1,
    top: undefined,
    minConfidence: undefined,
    window: undefined,
    step: undefined,
  };
  try {
    const { default: sharp } = await import("sharp");
    for (const size of PICTURES) {
      const image = join(folder, "image.png");
      await sharp({ create: { ...size, channels: 3, background: "grey" } }).toFile(image);
      await predictor.predict({ image }, look);
    }
    const audio = join(folder, "audio.wav");
    await writeFile(audio, toneWav());
    await predictor.predict({ audio }, look);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Two seconds of a tone, as a WAV file of 16 bits. */
function toneWav(): Buffer {
  const samples = 2 * RATE_HZ;
  const head = Buffer.from("RIFF____WAVEfmt ____________________data____", "latin1");
  head.writeUInt32LE(36 + 2 * samples, 4);
  head.writeUInt32LE(16, 16); // bytes of the format chunk
  head.writeUInt16LE(1, 20); // PCM
  head.writeUInt16LE(1, 22); // channels
  head.writeUInt32LE(RATE_HZ, 24);
  head.writeUInt32LE(2 * RATE_HZ, 28); // bytes a second
  head.writeUInt16LE(2, 32); // bytes a frame
  head.writeUInt16LE(16, 34); // bits a sample
  head.writeUInt32LE(2 * samples, 40);
  const tone = Int16Array.from(
    { length: samples },
    (_, at) => 8192 * Math.sin((2 * Math.PI * TONE_HZ * at) / RATE_HZ),
  );
  return Buffer.concat([head, Buffer.from(tone.buffer)]);
}
