import { join } from "node:path";
import { UserError } from "@emotion-service/core/errors";
import { statOf } from "@emotion-service/core/files/listFiles";
import {
  type WeightFacts,
  isObject,
  listOf,
  numbersOf,
  product,
  sum,
  textOf,
  textsOf,
} from "./modelReport.ts";

/** A weight as TensorFlow.js stores it. */
export interface StoredWeight extends WeightFacts {
  /** Bytes in its file; undefined: not told by its shape, as of texts. */
  readonly bytes: number | undefined;
  /** Whether it is the optimizer's, not the model's. */
  readonly isOptimizers: boolean;
}

/** Files whose bytes, one after another, are these weights. */
export interface WeightGroup {
  readonly paths: readonly string[];
  readonly weights: readonly StoredWeight[];
}

/** Bytes of a value, by TensorFlow.js's names of dtypes (io_utils.ts). */
const BYTES: Readonly<Record<string, number>> = {
  float32: 4,
  float16: 2,
  int32: 4,
  uint16: 2,
  uint8: 1,
  bool: 1,
  complex64: 8,
};

/**
 * The weightsManifest of a model.json, or the list that face-api's files are.
 * @throws UserError E_INPUT_BROKEN where a weight has no name, sizes or dtype
 */
export function readManifest(manifest: unknown, file: string): WeightGroup[] {
  return listOf(manifest)
    .filter(isObject)
    .map((group) => ({
      paths: textsOf(group["paths"]),
      weights: listOf(group["weights"]).map((entry) => readWeight(entry, file)),
    }));
}

function readWeight(entry: unknown, file: string): StoredWeight {
  const { name, shape, dtype, quantization, group } = isObject(entry) ? entry : {};
  const sizes = numbersOf(shape);
  if (
    typeof name !== "string" ||
    typeof dtype !== "string" ||
    !Array.isArray(shape) ||
    !sizes.every((size) => Number.isSafeInteger(size) && size >= 0)
  )
    throw new UserError(
      "E_INPUT_BROKEN",
      `${file}: each weight must have a name, a shape and a dtype, one is ${JSON.stringify(entry)}`,
      { hint: "save or convert the model again" },
    );
  const stored = isObject(quantization) ? textOf(quantization["dtype"]) : dtype;
  const bytes = BYTES[stored];
  return {
    name,
    shape: sizes,
    dtype: stored === dtype ? dtype : `${dtype} as ${stored}`,
    bytes: bytes === undefined ? undefined : bytes * product(sizes),
    isOptimizers: group === "optimizer",
  };
}

/** Weight files that are missing, or not as long together as their weights. */
export function manifestProblems(folder: string, groups: readonly WeightGroup[]): string[] {
  return groups.flatMap(({ paths, weights }) => {
    const files = paths.map((path) => join(folder, path));
    const missing = files.filter((file) => statOf(file)?.isFile() !== true);
    if (missing.length > 0) return missing.map((file) => `${file} is missing`);
    const needed = sum(weights.map(({ bytes }) => bytes ?? Number.NaN));
    const found = sum(files.map((file) => statOf(file)?.size ?? 0));
    if (Number.isNaN(needed) || needed === found) return [];
    const together = files.length > 1 ? " together" : "";
    return [`${files.join(", ")} must have ${needed} bytes${together}, has ${found}`];
  });
}
