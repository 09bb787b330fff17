import { CREATED_BY } from "../hdf5/format.ts";

/** What each .onnx file of ours says of itself, texts by name; then `facts`. */
export function metadataOf(
  kind: string,
  facts: Readonly<Record<string, string>>,
): Record<string, string> {
  return {
    format: "emotion-service onnx",
    format_version: "1",
    created_by: CREATED_BY,
    kind,
    ...facts,
  };
}

/** Of a classifier. */
interface ClassifierFacts {
  /** In the order of the outputs. */
  readonly classes: readonly string[];
  /** What scores are divided by before the softmax; 1, or absent, is not written, as in files of older versions. */
  readonly temperature?: number;
  readonly weightsSha256: string;
}

/** The same of a classifier: its emotions as JSON, then `facts`, its temperature, its weights. */
export function classifierMetadata(
  kind: string,
  { classes, temperature = 1, weightsSha256 }: ClassifierFacts,
  facts: Readonly<Record<string, string>> = {},
): Record<string, string> {
  return metadataOf(kind, {
    classes: JSON.stringify(classes),
    ...facts,
    ...(temperature === 1 ? {} : { temperature: String(temperature) }),
    weights_sha256: weightsSha256,
  });
}
