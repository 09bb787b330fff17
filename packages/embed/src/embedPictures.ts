import type { Device } from "@emotion-service/core/devices";
import type { RgbImage } from "@emotion-service/core/face/image";
import type { PictureEncoder } from "@emotion-service/core/image/pictureEncoder";
import { mapInWorkers } from "@emotion-service/core/workers/pool";
import type { Begin, EmbedRun } from "./embedRows.ts";
import { type EmbedInput, deviceSetting, fileInputs } from "./embedWork.ts";
import type { PictureSettings } from "./pictureWorker.ts";

const NO_FACE = "no face found (--face_crop off takes the whole picture)";
/** Pictures that may be decoded and wait, in batches: the network never waits for them, and memory stays bounded. */
const BATCHES_AHEAD = 4;

/** An input whose embedding is still to come, and the picture for it. */
interface Waiting {
  readonly input: EmbedInput;
  readonly picture: RgbImage;
}

/**
 * Pictures (relative paths) → embeddings: worker threads decode and resize while this one runs the network, which has threads of
 * its own, over one batch after another.
 */
export async function embedPictures(
  encoder: PictureEncoder,
  folder: string,
  paths: readonly string[],
  options: EmbedRun & { readonly device: Device },
  begin: Begin,
): Promise<void> {
  const work = begin({
    encoder: encoder.info,
    inputs: fileInputs(folder, paths),
    settings: deviceSetting(options.device),
    unit: "pictures",
  });
  const { pending } = work;
  const settings: PictureSettings = { folder, input: encoder.input };
  const outcomes = mapInWorkers<string, RgbImage | undefined>(
    pending.map(({ path }) => path),
    {
      script: new URL("pictureWorker.js", import.meta.url),
      settings,
      nativeCode: true, // the face's networks, with --face_crop on
      workers: options.workers,
      ahead: BATCHES_AHEAD * Math.max(options.batchSize, options.workers),
      signal: options.signal,
    },
  );
  let waiting: Waiting[] = [];
  const flush = async (): Promise<void> => {
    if (waiting.length === 0) return;
    const embeddings = await encoder.embed(waiting.map(({ picture }) => picture));
    const { dim } = encoder.info;
    for (const [i, { input }] of waiting.entries())
      work.keep(input, embeddings.subarray(i * dim, (i + 1) * dim));
    waiting = [];
  };
  let n = 0;
  for await (const outcome of outcomes) {
    const input = pending[n]!;
    n += 1;
    if (!outcome.ok) work.fail(input, outcome.cause);
    else if (outcome.value === undefined) work.keep(input, NO_FACE);
    else waiting.push({ input, picture: outcome.value });
    if (waiting.length === options.batchSize) await flush();
  }
  await flush();
}
