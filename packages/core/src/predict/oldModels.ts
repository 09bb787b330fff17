import type { AnomalyModel } from "../anomaly/modelFile.ts";
import { readSklearnForest } from "../anomaly/sklearnForest.ts";
import { UserError } from "../errors.ts";
import { extensionOf } from "../files/listFiles.ts";
import { unknownEncoder } from "../interop/pythonFusion.ts";

/** Files of torch.save, by ending. */
const FUSION_FILES: readonly string[] = [".pth", ".pt"];

export function isPythonFusion(path: string): boolean {
  return FUSION_FILES.includes(extensionOf(path));
}

/**
 * The detector in a file of scikit-learn. Its rows are [image | audio], of encoders that it does not name; a missing modality
 * is zeros, as it does not keep the means.
 * @param dims values of an image and of an audio embedding, as far as they are known; one follows from the other
 * @throws UserError E_SETTINGS when neither is known, or they do not add up to the forest's columns in one way
 */
export function loadSklearnDetector(
  path: string,
  dims: { readonly image: number | undefined; readonly audio: number | undefined },
): AnomalyModel {
  const { forest, ...facts } = readSklearnForest(path, "--isolation");
  const { nFeatures } = forest;
  const fitting = splits(dims, nFeatures).filter(
    ([image, audio]) => image >= 0 && audio >= 0 && image + audio === nFeatures,
  );
  const [split] = fitting;
  if (split === undefined || fitting.length > 1)
    throw new UserError(
      "E_SETTINGS",
      `--isolation ${path}: takes rows of ${nFeatures} values, [image | audio], and does not say how many are which; the encoders give ${dims.image ?? "?"} + ${dims.audio ?? "?"}`,
      {
        hint: "say what embedded its rows with --image_encoder and --audio_encoder, or name the classifier of the same rows too",
      },
    );
  return {
    ...facts,
    forest,
    imageEncoder: unknownEncoder(split[0]),
    audioEncoder: unknownEncoder(split[1]),
    means: new Float32Array(nFeatures),
  };
}

/** How rows of n values may be made of both modalities, or of one alone. */
function splits(
  { image, audio }: { readonly image: number | undefined; readonly audio: number | undefined },
  n: number,
): (readonly [image: number, audio: number])[] {
  if (image === undefined) return audio === undefined ? [] : [[n - audio, audio]];
  if (audio === undefined) return [[image, n - image]];
  return [
    [image, audio],
    [image, 0],
    [0, audio],
  ];
}
