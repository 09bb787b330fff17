import type { RgbImage } from "../face/image.ts";
import type { VideoFrame } from "./frames.ts";

/** What turns frames of a video into embeddings. */
export interface FrameEncoder {
  readonly dim: number;
  /** The encoder's input from a frame: its aligned face, or all of it; undefined where no face is found. */
  frame(image: VideoFrame): Promise<RgbImage | undefined>;
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

/** What became of a frame. */
export interface EmbeddedFrame {
  /** From the first frame on. */
  readonly seconds: number;
  /** [dim]; undefined where no face was found. */
  readonly embedding: Float32Array | undefined;
}

/**
 * The mean of the embeddings of a video's frames, of which a few are in memory at a time.
 * @param onFrame takes each frame's embedding, in order
 */
export async function meanEmbedding(
  encoder: FrameEncoder,
  pictures: AsyncIterable<VideoFrame>,
  onFrame: (frame: EmbeddedFrame) => void = () => {},
): Promise<MeanEmbedding> {
  const mean = createMean(encoder.dim);
  let frames = 0;
  let times: { readonly seconds: number; readonly isFace: boolean }[] = [];
  let held: RgbImage[] = [];
  const flush = async (): Promise<void> => {
    const rows = await encoder.embed(held);
    let at = 0;
    for (const { seconds, isFace } of times) {
      const embedding = isFace ? rows.slice(at, (at += encoder.dim)) : undefined;
      if (embedding !== undefined) mean.add(embedding);
      onFrame({ seconds, embedding });
    }
    times = [];
    held = [];
  };
  for await (const frame of pictures) {
    frames += 1;
    const face = await encoder.frame(frame);
    times.push({ seconds: frame.seconds, isFace: face !== undefined });
    if (face !== undefined) held.push(face);
    if (held.length === FRAMES_AT_ONCE) await flush();
  }
  await flush();
  return { embedding: mean.value(), frames, faces: mean.count() };
}

/** A mean of embeddings [dim] that come one after another, in double precision. */
export function createMean(dim: number) {
  const sum = new Float64Array(dim);
  let count = 0;
  return {
    add: (embedding: Float32Array): void => {
      for (let i = 0; i < dim; i += 1) sum[i]! += embedding[i] ?? 0;
      count += 1;
    },
    count: (): number => count,
    /** undefined of none */
    value: (): Float32Array | undefined =>
      count === 0 ? undefined : Float32Array.from(sum, (value) => value / count),
  };
}
