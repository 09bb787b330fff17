import type { RgbImage } from "../face/image.ts";
import { readPicture } from "./readPicture.ts";
import { resizeBilinear } from "./resize.ts";

/** How a picture becomes an encoder's input. */
export interface PictureInput {
  /** on: the aligned face that is found in it; off: all of it. */
  readonly faceCrop: "on" | "off";
  /** Pixels; proportions are not kept. */
  readonly width: number;
  readonly height: number;
}

/** Makes inputs, pictures of that size; undefined where a face is wanted and none is found (a normal case). */
export interface PicturePreparer {
  /** @throws UserError E_INPUT_BROKEN when the file cannot be decoded */
  file(path: string): Promise<RgbImage | undefined>;
  image(image: RgbImage): Promise<RgbImage | undefined>;
}

/** Loads what makes an encoder's inputs of pictures. */
export async function loadPicturePreparer(input: PictureInput): Promise<PicturePreparer> {
  const resized = (image: RgbImage): RgbImage => resizeBilinear(image, input.width, input.height);
  if (input.faceCrop === "off")
    return {
      file: async (path) => resized(await readPicture(path)),
      image: async (image) => resized(image),
    };
  const { loadFaceEncoder } = await import("../face/faceEncoder.ts");
  const { readImage } = await import("../face/image.ts");
  const faces = await loadFaceEncoder("on");
  const image = async (picture: RgbImage): Promise<RgbImage | undefined> => {
    const face = await faces.prepare(picture);
    return face && resized(face);
  };
  return { file: async (path) => image(await readImage(path)), image };
}
