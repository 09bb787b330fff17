import type { RgbImage } from "../face/image.ts";

/** What turns frames of a video into embeddings. */
export interface FrameEncoder {
  readonly dim: number;
  /** The encoder's input from a frame: its aligned face, or all of it; undefined where no face is found. */
  frame(image: RgbImage): Promise<RgbImage | undefined>;
  /** [inputs, dim] row-major */
  embed(inputs: readonly RgbImage[]): Promise<Float32Array>;
}

export interface MeanEmbedding {
  /** [dim]; undefined where no frame had a face */
  readonly embedding: Float32Array | undefined;
  readonly frames: number;
  /** Frames that have an embedding. */
  readonly faces: number;
}

/** Frames that go through the network at once. */
const FRAMES_AT_ONCE = 16;

/** The mean of the embeddings of a video's frames, of which a few are in memory at a time. */
export async function meanEmbedding(
  encoder: FrameEncoder,
  pictures: AsyncIterable<RgbImage>,
): Promise<MeanEmbedding> {
  const sum = new Float64Array(encoder.dim);
  let frames = 0;
  let faces = 0;
  let held: RgbImage[] = [];
  const flush = async (): Promise<void> => {
    const rows = await encoder.embed(held);
    for (let i = 0; i < rows.length; i += 1) {
      const column = i % sum.length;
      sum[column] = (sum[column] ?? 0) + (rows[i] ?? 0);
    }
    faces += held.length;
    held = [];
  };
  for await (const frame of pictures) {
    frames += 1;
    const face = await encoder.frame(frame);
    if (face !== undefined) held.push(face);
    if (held.length === FRAMES_AT_ONCE) await flush();
  }
  await flush();
  const embedding = faces === 0 ? undefined : Float32Array.from(sum, (value) => value / faces);
  return { embedding, frames, faces };
}
