import { readFile } from "node:fs/promises";
import sharp from "sharp";
import { UserError, causeOf } from "../errors.ts";
import type { RgbImage } from "../face/image.ts";

/**
 * Decodes a picture file as Pillow's `Image.open(path).convert("RGB")` does: the pixels as they are stored, without EXIF
 * rotation (but for TIFF), colour profile or shrinking; grey made RGB, transparency dropped, CMYK by its plain formula. Bit for bit
 * the same for JPEG, PNG, WebP, GIF and TIFF, save that a GIF's transparent pixels are black; AVIF decoders differ in how they
 * spread colour between pixels.
 * @throws UserError E_INPUT_BROKEN when it cannot be decoded, or is greyscale of more than 8 bits, which Pillow makes white
 */
export async function readPicture(path: string): Promise<RgbImage> {
  try {
    const bytes = await readFile(path);
    if (bytes.length === 0) throw new Error("it is empty");
    const cmyk = (await colourModel(bytes)) === "cmyk";
    const picture = sharp(bytes, { failOn: "error", ignoreIcc: true });
    if (isTiff(bytes)) picture.autoOrient();
    if (cmyk) picture.pipelineColourspace("cmyk").toColourspace("cmyk");
    const { data, info } = await picture.raw().toBuffer({ resolveWithObject: true });
    const { width, height, channels } = info;
    const rgb = cmyk ? cmykToRgb(data) : toRgb(data, channels);
    return { data: rgb, width, height };
  } catch (error) {
    throw new UserError(
      "E_INPUT_BROKEN",
      `${path}: cannot be decoded as a picture (${causeOf(error)})`,
      { cause: error },
    );
  }
}

/** [pixels, channels] of grey, grey and alpha, RGB or RGBA → [pixels, 3] */
function toRgb(data: Uint8Array, channels: number): Uint8Array {
  if (channels === 3) return data;
  const rgb = new Uint8Array((data.length / channels) * 3);
  const [green, blue] = channels < 3 ? [0, 0] : [1, 2];
  for (let from = 0, to = 0; to < rgb.length; from += channels, to += 3) {
    rgb[to] = data[from] ?? 0;
    rgb[to + 1] = data[from + green] ?? 0;
    rgb[to + 2] = data[from + blue] ?? 0;
  }
  return rgb;
}

/** (255 - ink) · (255 - black) / 255, rounded as Pillow's integers round it: [pixels, 4] → [pixels, 3]. */
function cmykToRgb(data: Uint8Array): Uint8Array {
  const rgb = new Uint8Array((data.length / 4) * 3);
  for (let from = 0, to = 0; to < rgb.length; from += 4, to += 3) {
    const white = 255 - (data[from + 3] ?? 0);
    for (let i = 0; i < 3; i += 1) {
      const product = (data[from + i] ?? 0) * white + 128;
      rgb[to + i] = Math.max(0, white - ((product + (product >> 8)) >> 8));
    }
  }
  return rgb;
}

const PNG_DEPTH = 24; // bytes from the start
const PNG_COLOUR = 25;

/**
 * Whether the pixels are inks. Of a JPEG or a PNG the header says so in a moment; of the others sharp is asked.
 * @throws Error for greyscale of more than 8 bits
 */
async function colourModel(bytes: Buffer): Promise<"rgb" | "cmyk"> {
  if (bytes[0] === 0xff && bytes[1] === 0xd8) return jpegComponents(bytes) === 4 ? "cmyk" : "rgb";
  if (bytes.toString("latin1", 1, 4) === "PNG") {
    if (bytes[PNG_DEPTH] === 16 && bytes[PNG_COLOUR] === 0) throw deepGrey("16-bit");
    return "rgb";
  }
  const { space, depth } = await sharp(bytes).metadata();
  if (space === "cmyk") return "cmyk";
  if (depth !== "uchar" && space !== "rgb16") throw deepGrey(depth);
  return "rgb";
}

function isTiff(bytes: Buffer): boolean {
  return ["II*\0", "MM\0*"].includes(bytes.toString("latin1", 0, 4));
}

function deepGrey(depth: string): Error {
  return new Error(`it must have 8 bits a value, has ${depth} greyscale; save it with 8 bits`);
}

/** The number of components that the frame header (SOF) of a JPEG names; undefined where it has none. */
function jpegComponents(bytes: Buffer): number | undefined {
  for (let at = 2; at + 9 < bytes.length && bytes[at] === 0xff;) {
    const marker = bytes[at + 1] ?? 0;
    if (marker === 0xff) at += 1; // a filling byte
    else if (marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker))
      return bytes[at + 9];
    else at += 2 + bytes.readUInt16BE(at + 2);
  }
  return undefined;
}
