import { open } from "node:fs/promises";
import { UserError, causeOf } from "../errors.ts";

/** How the pictures begin that are decoded; "?" stands for any byte. */
const HEADS: readonly string[] = [
  "\u00ff\u00d8\u00ff", // JPEG
  "\u0089PNG",
  "RIFF????WEBP",
  "GIF8",
  "II*\0",
  "MM\0*",
  "\0\0??ftypavif", // the length of a short box: with a text there, what follows may be SVG in a comment
  "\0\0??ftypavis",
];
const HEAD_BYTES = 12;

/**
 * Sees to it that a picture is of a kind that is decoded, and not too large, by its head alone: no pixel is decoded. Other kinds that
 * the decoder knows, such as SVG, are programs that may name other files.
 * @param path a file
 * @param pixels width · height
 * @throws UserError E_INPUT_BROKEN, E_LIMIT
 */
export async function refuseLargePicture(path: string, pixels: number): Promise<void> {
  const head = await headOf(path);
  const isKnown = HEADS.some((form) =>
    form.split("").every((byte, at) => byte === "?" || byte === head[at]),
  );
  if (!isKnown)
    throw new UserError("E_INPUT_BROKEN", `${path}: is no picture that can be read`, {
      hint: "send JPEG, PNG, WebP, GIF, TIFF or AVIF",
    });
  const { default: sharp } = await import("sharp");
  const { width, height } = await sharp(path, { limitInputPixels: false })
    .metadata()
    .catch((error: unknown) => {
      throw new UserError(
        "E_INPUT_BROKEN",
        `${path}: cannot be decoded as a picture (${causeOf(error)})`,
      );
    });
  if (width * height > pixels)
    throw new UserError(
      "E_LIMIT",
      `${path}: must have at most ${pixels} pixels, has ${width} × ${height}`,
      { hint: "send a smaller one" },
    );
}

async function headOf(path: string): Promise<string> {
  const file = await open(path);
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(HEAD_BYTES), 0, HEAD_BYTES, 0);
    return buffer.toString("latin1", 0, bytesRead);
  } finally {
    await file.close();
  }
}
