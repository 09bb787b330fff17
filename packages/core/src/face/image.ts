import { UserError, causeOf } from "../errors.ts";

/** A picture: 8-bit RGB, [height, width, 3] row-major. */
export interface RgbImage {
  readonly data: Uint8Array;
  readonly width: number;
  readonly height: number;
}

/** A larger picture is shrunk to this: the face in it stays larger than what the encoder wants. */
const MAX_SIDE = 1280;

/**
 * Decodes a picture file: EXIF rotation applied, shrunk to 1280 pixels a side at most, grey made RGB, transparency laid on
 * black.
 * @throws UserError E_INPUT_BROKEN when it cannot be decoded
 */
export async function readImage(path: string): Promise<RgbImage> {
  const { default: sharp } = await import("sharp");
  try {
    const { data, info } = await sharp(path, { failOn: "error" })
      .rotate()
      .resize(MAX_SIDE, MAX_SIDE, { fit: "inside", withoutEnlargement: true })
      .flatten({ background: "black" })
      .toColourspace("srgb")
      .raw()
      .toBuffer({ resolveWithObject: true });
    return { data, width: info.width, height: info.height };
  } catch (error) {
    throw new UserError(
      "E_INPUT_BROKEN",
      `${path}: cannot be decoded as a picture (${causeOf(error)})`,
      {
        cause: error,
      },
    );
  }
}

/** The whole picture as a square of `size` pixels, a longer side's rest in black. */
export async function toSquare(image: RgbImage, size: number): Promise<RgbImage> {
  const { default: sharp } = await import("sharp");
  const { data, width, height } = image;
  const square = await sharp(data, { raw: { width, height, channels: 3 } })
    .resize(size, size, { fit: "contain", background: "black" })
    .raw()
    .toBuffer();
  return { data: square, width: size, height: size };
}

/** Left and right exchanged. */
export function mirrored({ data, width, height }: RgbImage): RgbImage {
  const mirror = new Uint8Array(data.length);
  for (let at = 0; at < data.length; at += 3) {
    const pixel = at / 3;
    const x = pixel % width;
    const to = (pixel - x + (width - 1 - x)) * 3;
    for (let channel = 0; channel < 3; channel += 1) mirror[to + channel] = data[at + channel] ?? 0;
  }
  return { data: mirror, width, height };
}
