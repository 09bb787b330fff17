import { readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { drawFace } from "../../../../scripts/sample/faces.ts";
import { temporaryFolder } from "../../../../test/command.ts";
import { type FaceEncoder, faceCnnInfo, loadFaceEncoder } from "../../src/face/faceEncoder.ts";
import { loadFaceEngine } from "../../src/face/faceEngine.ts";
import { createFaceNets } from "../../src/face/faceNets.ts";
import { type RgbImage, mirrored, readImage } from "../../src/face/image.ts";
import { readFaceCheckpoint, writeFaceCheckpoint } from "../../src/model/faceCheckpoint.ts";
import { loadFaceCnnClassifier } from "../../src/model/lastLayerClassifier.ts";
import { SHIPPED_FACE_CNN } from "../../src/model/shippedModels.ts";
import { createSession, loadOnnxRuntime } from "../../src/onnx/session.ts";

const trained = { folder: SHIPPED_FACE_CNN, flag: "the shipped one" };
const runtime = loadOnnxRuntime();

/** Aligned faces, drawn. */
async function drawnFaces(encoder: FaceEncoder): Promise<RgbImage[]> {
  const path = join(temporaryFolder(), "face.jpg");
  const faces: RgbImage[] = [];
  for (const [face, emotion] of (["happy", "angry", "neutral"] as const).entries()) {
    writeFileSync(path, await drawFace({ emotion, face, seed: 1 }));
    const found = await encoder.prepare(await readImage(path));
    if (found !== undefined) faces.push(found);
  }
  return faces;
}

test("the face_cnn that comes along is small, and its model.onnx is of its weights", () => {
  const files = ["model.json", "weights.bin", "model.onnx"];
  const sizes = files.map((file) => statSync(join(SHIPPED_FACE_CNN, file)).size);
  expect(sizes.reduce((a, b) => a + b, 0)).toBeLessThan(3e6);
  const info = faceCnnInfo("auto", readFaceCheckpoint(trained.folder, trained.flag));
  const onnx = readFileSync(join(SHIPPED_FACE_CNN, "model.onnx"));
  expect(onnx.includes(info.weightsSha256)).toBe(true);
});

test.skipIf(!runtime.ok)(
  "an embedding is the mean of what model.onnx makes of a face's maps and of its mirror image's",
  async () => {
    const encoder = await loadFaceEncoder("off", { trained });
    const faces = await drawnFaces(encoder);
    const nets = createFaceNets(await loadFaceEngine());
    if (!runtime.ok) throw new Error(runtime.cause);
    const session = await createSession(runtime.ort, join(SHIPPED_FACE_CNN, "model.onnx"), {});
    const run = async (pictures: readonly RgbImage[]) => {
      const maps = await nets.expressionMaps(pictures);
      return session.run({ maps: { data: maps, dims: [pictures.length, 7, 7, 384] } });
    };
    const [plain, mirror] = [await run(faces), await run(faces.map(mirrored))];
    const expected = plain["embeddings"]!.data.map(
      (value, i) => (value + mirror["embeddings"]!.data[i]!) / 2,
    );
    const embeddings = await encoder.embed(faces);
    expect(embeddings).toBeAllClose(expected, { rtol: 0, atol: 1e-5 });

    // The last layer is linear: scores of the mean are the mean of the scores.
    const classifier = loadFaceCnnClassifier(trained.folder, trained.flag, "off");
    const parts = {
      image: { values: embeddings, present: new Float32Array(faces.length).fill(1) },
    };
    const probabilities = await classifier.classify({ rows: faces.length, parts });
    const classes = classifier.checkpoint.classes.length;
    const { temperature } = readFaceCheckpoint(trained.folder, trained.flag);
    expect(temperature).toBe(0.643); // of the card
    for (const row of faces.keys()) {
      const logits = Array.from(
        { length: classes },
        (_, k) =>
          (plain["logits"]!.data[row * classes + k]! + mirror["logits"]!.data[row * classes + k]!) /
          2,
      );
      const powers = logits.map((logit) => Math.exp(logit / temperature!));
      const total = powers.reduce((a, b) => a + b);
      expect(probabilities.slice(row * classes, (row + 1) * classes)).toBeAllClose(
        powers.map((power) => power / total),
        { rtol: 0, atol: 1e-5 },
      );
    }
    await session.dispose();
  },
);

test("a face and its mirror image have the same embedding, whatever the batch", async () => {
  const encoder = await loadFaceEncoder("off", { trained });
  const faces = await drawnFaces(encoder);
  const { dim } = encoder.info;
  const together = await encoder.embed([...faces, ...faces.map(mirrored)]);
  for (const [i, face] of faces.entries()) {
    const own = together.slice(i * dim, (i + 1) * dim);
    expect(await encoder.embed([face])).toEqual(own);
    const mirror = together.slice((faces.length + i) * dim, (faces.length + i + 1) * dim);
    expect(mirror).toEqual(own);
  }
  expect(together.slice(0, dim)).not.toEqual(together.slice(dim, 2 * dim));
});

test.skipIf(!runtime.ok)("without ONNX Runtime the embedding is the same", async () => {
  const encoder = await loadFaceEncoder("off", { trained });
  const other = await loadFaceEncoder("off", {
    trained,
    runtime: { ok: false, cause: "no such module" },
  });
  const faces = await drawnFaces(encoder);
  expect([encoder.engine, other.engine]).toEqual(["onnxruntime", "tensorflow.js wasm"]);
  expect(await other.embed(faces)).toBeAllClose(await encoder.embed(faces), {
    rtol: 0,
    atol: 1e-4, // float32 sums in another order
  });
});

test("a face_cnn of other face networks than are installed is refused", () => {
  const folder = join(temporaryFolder(), "model");
  writeFaceCheckpoint(folder, readFaceCheckpoint(trained.folder, trained.flag));
  expect(readFaceCheckpoint(folder, "--weights").weights).toEqual(
    readFaceCheckpoint(trained.folder, trained.flag).weights,
  );
  const path = join(folder, "model.json");
  const json = JSON.parse(readFileSync(path, "utf8")) as { maps: { weights_sha256: string } };
  json.maps.weights_sha256 = "0".repeat(64);
  writeFileSync(path, JSON.stringify(json));
  expect(() => readFaceCheckpoint(folder, "--weights")).toThrow(
    /--weights .*: was trained on the maps of @vladmandic\/face-api/,
  );
  rmSync(join(folder, "weights.bin"));
  expect(() => readFaceCheckpoint(folder, "--weights")).toThrow(/is not a whole model/);
});
