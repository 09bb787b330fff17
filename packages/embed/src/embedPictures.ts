import type { RgbImage } from "@emotion-service/core/face/image";
import { type PictureEncoder, causeOfRow } from "@emotion-service/core/image/pictureEncoder";
import { factsOf } from "@emotion-service/core/labels";
import { type Outcome, mapInWorkers } from "@emotion-service/core/workers/pool";
import type { Embedded, EmbedRun, EmbeddedRow } from "./embedRows.ts";
import type { PictureSettings } from "./pictureWorker.ts";

const NO_FACE = "no face found (--face_crop off takes the whole picture)";
/** Pictures that may be decoded and wait, in batches: the network never waits for them, and memory stays bounded. */
const BATCHES_AHEAD = 4;

/** A row whose embedding is still to come, and the picture for it. */
interface Waiting {
  readonly row: number;
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
  options: EmbedRun,
): Promise<Embedded> {
  const settings: PictureSettings = { folder, input: encoder.input };
  const outcomes = mapInWorkers<string, RgbImage | undefined>(paths, {
    script: new URL("pictureWorker.js", import.meta.url),
    settings,
    nativeCode: true, // the face's networks, with --face_crop on
    workers: options.workers,
    ahead: BATCHES_AHEAD * Math.max(options.batchSize, options.workers),
    signal: options.signal,
  });
  const rows: EmbeddedRow[] = [];
  let waiting: Waiting[] = [];
  const flush = async (): Promise<void> => {
    if (waiting.length === 0) return;
    const embeddings = await encoder.embed(waiting.map(({ picture }) => picture));
    const { dim } = encoder.info;
    for (const [i, { row }] of waiting.entries()) {
      const embedding = embeddings.slice(i * dim, (i + 1) * dim);
      const cause = causeOfRow(embedding);
      rows[row] = { ...rows[row]!, embedding: cause === "" ? embedding : undefined, cause };
    }
    waiting = [];
    options.onProgress?.(rows.length, paths.length, "pictures");
  };
  for await (const outcome of outcomes) {
    const path = paths[rows.length] ?? "";
    const picture = outcome.ok ? outcome.value : undefined;
    if (picture !== undefined) waiting.push({ row: rows.length, picture });
    rows.push({ path, label: factsOf(path).label, embedding: undefined, cause: causeOf(outcome) });
    if (waiting.length === options.batchSize) await flush();
  }
  await flush();
  return { encoder: encoder.info, rows };
}

/** Why a picture has no embedding; "" where it will have one. */
function causeOf(outcome: Outcome<RgbImage | undefined>): string {
  if (!outcome.ok) return outcome.cause;
  return outcome.value === undefined ? NO_FACE : "";
}
