import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { encodeWav } from "@emotion-service/core/audio/encodeWav";
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

/** Two seconds of a tone, as a WAV file. */
function toneWav(): Buffer {
  const tone = Float32Array.from(
    { length: 2 * RATE_HZ },
    (_, at) => 0.25 * Math.sin((2 * Math.PI * TONE_HZ * at) / RATE_HZ),
  );
  return encodeWav(tone, RATE_HZ);
}
