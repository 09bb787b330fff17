import { readFileSync } from "node:fs";
import { join } from "node:path";
import { readPythonFusion } from "@emotion-service/core/interop/pythonFusion";
import type { Checkpoint } from "@emotion-service/core/model/checkpoint";
import { loadClassifier } from "@emotion-service/core/onnx/loadClassifier";
import { loadOnnxRuntime } from "@emotion-service/core/onnx/session";
import { describe, expect, it } from "vitest";
import { expectUserError } from "./fixtures.ts";

/** What scripts/reference/python_fusion.py wrote. */
const FOLDER = join(import.meta.dirname, "../fixtures/fusion");
const read = (name: string): Promise<Checkpoint> =>
  readPythonFusion(join(FOLDER, name), "--multimodal");

interface OracleFile {
  readonly classes: readonly string[];
  readonly rows: Readonly<Record<"image" | "audio", readonly (readonly number[])[]>>;
  /** Probabilities with both modalities, and with one while the other is zeros. */
  readonly both: Probabilities;
  readonly image: Probabilities;
  readonly audio: Probabilities;
}
interface Probabilities {
  readonly probabilities: readonly (readonly number[])[];
}
const oracle = JSON.parse(readFileSync(join(FOLDER, "oracle.json"), "utf8")) as {
  readonly files: Readonly<Record<string, OracleFile>>;
};

const RUNTIMES = [
  ["ONNX Runtime", loadOnnxRuntime()],
  ["TensorFlow.js", { ok: false, cause: "a test" } as const],
] as const;

describe.each(RUNTIMES)("PyTorch's probabilities on %s", (_, runtime) => {
  it.each(Object.entries(oracle.files))("%s", async (name, file) => {
    const checkpoint = await read(name);
    expect(checkpoint.classes).toEqual(file.classes);
    const path = join(FOLDER, name);
    const classifier = await loadClassifier(path, checkpoint, { onNotice: () => {}, runtime });
    const worst: number[] = [];
    for (const present of ["both", "image", "audio"] as const) {
      const got = await classifier.classify(batchOf(file, present));
      const expected = file[present].probabilities.flat();
      worst.push(...got.map((p, i) => Math.abs(p - expected[i]!)));
    }
    expect(Math.max(...worst)).toBeLessThan(1e-6); // 32-bit sums in another order
    await classifier.dispose();
  });
});

/** The file's rows; a modality that is not `present` is missing throughout. */
function batchOf({ rows }: OracleFile, present: "both" | "image" | "audio") {
  const part = (modality: "image" | "audio") => ({
    values: Float32Array.from(rows[modality].flat()),
    present: new Float32Array(rows[modality].length).fill(
      present === "both" || present === modality ? 1 : 0,
    ),
  });
  return { rows: rows.image.length, parts: { image: part("image"), audio: part("audio") } };
}

it("does not say what embedded its rows", async () => {
  const { encoders } = await read("narrow.pth");
  expect(encoders.image).toMatchObject({ model: "unknown", dim: 3 });
  expect(encoders.audio).toMatchObject({ model: "unknown", dim: 20 });
});

describe("refused", () => {
  it.each([
    ["no_labels.pth", /class_labels.*lacks/],
    ["few_labels.pth", /each of the 6 outputs.*names 3/],
    ["other_layer.pth", /'gate\.weight' besides/],
    ["other_model.pth", /lacks 'fusion_norm\.weight'/],
  ])("%s", async (name, text) => {
    await expectUserError(() => read(name), "E_LAYOUT", text);
  });
});
