import type { Device } from "../devices.ts";
import type { RgbImage } from "../face/image.ts";
import type { EncoderInfo } from "../hdf5/encoder.ts";
import type { PictureInput } from "./preparePicture.ts";

/** A network that turns whole pictures into embeddings. */
export interface PictureEncoder {
  readonly info: EncoderInfo;
  /** What it takes; loadPicturePreparer makes it. */
  readonly input: PictureInput;
  /** Pictures of its size → [pictures, dim] row-major */
  embed(pictures: readonly RgbImage[]): Promise<Float32Array>;
  dispose(): Promise<void>;
}

/** What a picture encoder is loaded with. */
export interface PictureEncoderOptions {
  /** The file of --weights, or "random"; undefined: the published ones, found or downloaded. */
  readonly weights: string | undefined;
  readonly device: Device;
  readonly faceCrop: PictureInput["faceCrop"];
  /** Where caches of weights lie is in the environment. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly onNotice?: ((line: string) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** The pixels of pictures of one size beside each other: [pictures, height, width, 3]. */
export function packPictures(pictures: readonly RgbImage[]): Uint8Array {
  const size = pictures[0]?.data.length ?? 0;
  const packed = new Uint8Array(pictures.length * size);
  for (const [i, { data }] of pictures.entries()) packed.set(data, i * size);
  return packed;
}

/** Why a row is no embedding; "" where it is one. */
export function causeOfRow(embedding: Float32Array): string {
  return embedding.every(Number.isFinite) ? "" : "the network gives NaN or infinity for it";
}
