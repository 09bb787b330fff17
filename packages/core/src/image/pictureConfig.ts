import { faceEncoderInfo } from "../face/faceEncoder.ts";
import { stableJson } from "../hdf5/encoder.ts";
import type { PictureInput } from "./preparePicture.ts";

/**
 * The feature_config of a picture encoder. Where faces are cut out, what cuts them belongs to it.
 * @param settings "imagenet": pixels are scaled by ImageNet's mean and deviation; size: pixels, one side or [height, width]; what is
 * as usual of an .onnx file's layout, channels and output is left out
 */
export function pictureConfig(
  faceCrop: PictureInput["faceCrop"],
  settings: {
    readonly normalisation:
      | "imagenet"
      | "none"
      | { readonly mean: readonly number[]; readonly std: readonly number[] };
    readonly size: number | readonly [height: number, width: number];
    readonly layout?: "nchw" | "nhwc";
    readonly channels?: "bgr";
    readonly output?: string;
  },
): string {
  const face =
    faceCrop === "off"
      ? { face_crop: faceCrop }
      : (JSON.parse(faceEncoderInfo(faceCrop).featureConfig) as object);
  return stableJson({ ...face, ...settings, resize: "pillow_bilinear" });
}
