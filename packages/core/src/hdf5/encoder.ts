import { UserError } from "../errors.ts";
import type { AttributeValue } from "./file.ts";

/** What made an embedding: kept with every file and model, so that two that do not fit are never mixed. */
export interface EncoderInfo {
  /** "face", "audio_stats", …; "unknown" in a file of another writer. */
  readonly model: string;
  /** SHA-256 of the weights, hex; "none" for a model without weights. */
  readonly weightsSha256: string;
  /** The settings of the features, JSON with sorted keys; "{}" in a file of another writer. */
  readonly featureConfig: string;
  /** Values an embedding has. */
  readonly dim: number;
}

/** An encoder as JSON files keep it, by the names of the HDF5 attributes. */
export interface EncoderJson {
  readonly model: string;
  readonly weights_sha256: string;
  readonly feature_config: string;
  readonly dim: number;
}

export function encoderToJson(encoder: EncoderInfo): EncoderJson {
  return {
    model: encoder.model,
    weights_sha256: encoder.weightsSha256,
    feature_config: encoder.featureConfig,
    dim: encoder.dim,
  };
}

/**
 * The inverse of {@link encoderToJson}.
 * @throws Error when a field is missing or of another type; `name` is what the file calls the encoder
 */
export function encoderFromJson(value: unknown, name: string): EncoderInfo {
  const json = (value ?? {}) as Partial<Record<keyof EncoderJson, unknown>>;
  const text = (field: "model" | "weights_sha256" | "feature_config"): string => {
    const found = json[field];
    if (typeof found === "string") return found;
    throw new Error(`${name}.${field} must be text`);
  };
  const { dim } = json;
  if (typeof dim !== "number" || !Number.isSafeInteger(dim))
    throw new Error(`${name}.dim must be a whole number`);
  return {
    model: text("model"),
    weightsSha256: text("weights_sha256"),
    featureConfig: text("feature_config"),
    dim,
  };
}

/** JSON with sorted keys: equal settings give equal text. */
export function stableJson(value: unknown): string {
  return JSON.stringify(value, (_key, item: unknown) =>
    item !== null && typeof item === "object" && !Array.isArray(item)
      ? Object.fromEntries(Object.entries(item).sort(([a], [b]) => (a < b ? -1 : 1)))
      : item,
  );
}

/** Encoder facts as HDF5 attributes, with a prefix ("", "image_", "audio_"). */
export function encoderAttributes(
  encoder: EncoderInfo,
  prefix = "",
): Record<string, AttributeValue> {
  return {
    [`${prefix}model`]: encoder.model,
    [`${prefix}weights_sha256`]: encoder.weightsSha256,
    [`${prefix}feature_config`]: encoder.featureConfig,
    [`${prefix}dim`]: encoder.dim,
  };
}

/** The inverse of {@link encoderAttributes}; what a file of another writer does not say is "unknown". */
export function encoderFromAttributes(
  attributes: Readonly<Record<string, AttributeValue>>,
  dim: number,
  prefix = "",
): EncoderInfo {
  const text = (name: string, fallback: string): string =>
    String(attributes[`${prefix}${name}`] ?? fallback);
  return {
    model: text("model", "unknown"),
    weightsSha256: text("weights_sha256", "unknown"),
    featureConfig: asJson(text("feature_config", "{}")),
    dim,
  };
}

/** Another writer's settings may be any text: then that text, as JSON. */
function asJson(text: string): string {
  try {
    JSON.parse(text);
    return text;
  } catch {
    return JSON.stringify(text);
  }
}

/** An encoder's settings one by one, those of its features too, by name: so that a message can say which differ. */
export function encoderSettings({
  model,
  weightsSha256,
  featureConfig,
  dim,
}: EncoderInfo): Record<string, AttributeValue> {
  const features = Object.entries(flatten(featureConfig)).map(([name, value]) => [
    name,
    typeof value === "string" || typeof value === "number" ? value : JSON.stringify(value),
  ]);
  return { model, weights_sha256: weightsSha256, dim, ...Object.fromEntries(features) };
}

/**
 * Refuses an input whose encoder is not the one expected, and says which settings differ.
 * A file of another writer (model "unknown") is held to its dimension alone.
 */
export function requireSameEncoder(
  expected: EncoderInfo,
  actual: EncoderInfo,
  what: { readonly expected: string; readonly actual: string },
): void {
  const differences = encoderDifferences(expected, actual);
  if (differences.length === 0) return;
  throw new UserError(
    "E_SETTINGS",
    `${what.actual}: made with other settings than ${what.expected}: ${differences.join("; ")}`,
    { hint: "make both with the same commands and flags" },
  );
}

function encoderDifferences(expected: EncoderInfo, actual: EncoderInfo): string[] {
  const differences: string[] = [];
  const compare = (name: string, want: unknown, got: unknown): void => {
    const [wanted, given] = [JSON.stringify(want), JSON.stringify(got)];
    if (wanted !== given)
      differences.push(`${name} is ${given ?? "absent"}, must be ${wanted ?? "absent"}`);
  };
  compare("dim", expected.dim, actual.dim);
  if (expected.model === "unknown" || actual.model === "unknown") return differences;
  compare("model", expected.model, actual.model);
  compare("weights_sha256", expected.weightsSha256, actual.weightsSha256);
  const [want, got] = [flatten(expected.featureConfig), flatten(actual.featureConfig)];
  for (const key of [...new Set([...Object.keys(want), ...Object.keys(got)])].sort())
    compare(key, want[key], got[key]);
  return differences;
}

/** {"audio":{"sr":16000}} → {"audio.sr": 16000} */
function flatten(json: string): Record<string, unknown> {
  const flat: Record<string, unknown> = {};
  const visit = (value: unknown, name: string): void => {
    if (value === null || typeof value !== "object" || Array.isArray(value)) flat[name] = value;
    else
      for (const [key, item] of Object.entries(value))
        visit(item, name === "feature_config" ? key : `${name}.${key}`);
  };
  visit(JSON.parse(json), "feature_config");
  return flat;
}
