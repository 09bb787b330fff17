import { join } from "node:path";
import { writeFileSync } from "node:fs";
import sharp from "sharp";
import { beforeAll, describe, expect, test } from "vitest";
import { drawFace } from "../../../../scripts/sample/faces.ts";
import { temporaryFolder } from "../../../../test/command.ts";
import { type FaceEncoder, faceEncoderInfo, loadFaceEncoder } from "../../src/face/faceEncoder.ts";
import { type RgbImage, readImage } from "../../src/face/image.ts";
import { loadOnnxRuntime } from "../../src/onnx/session.ts";

let encoder: FaceEncoder;
beforeAll(async () => {
  encoder = await loadFaceEncoder("auto");
});

async function aligned(emotion: "happy" | "angry", face: number): Promise<RgbImage> {
  const path = join(temporaryFolder(), "face.jpg");
  writeFileSync(path, await drawFace({ emotion, face, seed: 1 }));
  const found = await encoder.prepare(await readImage(path));
  if (found === undefined) throw new Error("a drawn face is an aligned face");
  return found;
}

/** A grey picture without a face. */
function blank(width: number, height: number): RgbImage {
  return { data: new Uint8Array(width * height * 3).fill(128), width, height };
}

test("an embedding has the dimension that the encoder states, and finite values", async () => {
  const embedding = await encoder.embed([await aligned("happy", 0)]);
  expect(embedding.length).toBe(encoder.info.dim);
  expect(embedding.every(Number.isFinite)).toBe(true);
});

test("a face's embedding does not depend on the batch it is in", async () => {
  const faces = await Promise.all(
    [0, 1, 2, 3, 4].map((i) => aligned(i % 2 ? "angry" : "happy", i)),
  );
  const together = await encoder.embed(faces);
  for (const [i, face] of faces.entries())
    expect(together.subarray(i * encoder.info.dim, (i + 1) * encoder.info.dim)).toEqual(
      await encoder.embed([face]),
    );
});

test("the facts of the encoder name its weights, and differ by the crop rule alone", () => {
  const [auto, off] = [faceEncoderInfo("auto"), faceEncoderInfo("off")];
  expect(auto.weightsSha256).toMatch(/^[0-9a-f]{64}$/);
  expect({ ...off, featureConfig: auto.featureConfig }).toEqual(auto);
  expect(off.featureConfig).not.toBe(auto.featureConfig);
});

test("embeddings of earlier files stay comparable: these are the facts that they state", () => {
  expect(faceEncoderInfo("off")).toEqual({
    model: "face",
    weightsSha256: "38c40a14db397a4e94b603ad0fa84b577e786647dcfb56e9a3c4b9815a65b82a",
    featureConfig: '{"face_crop":"off","face_size":112,"package":"@vladmandic/face-api 1.7.15"}',
    dim: 256,
  });
});

test.skipIf(!loadOnnxRuntime().ok)(
  "without ONNX Runtime TensorFlow.js gives the same embedding, and says so",
  async () => {
    const notices: string[] = [];
    const other = await loadFaceEncoder("auto", {
      runtime: { ok: false, cause: "no such module" },
      onNotice: (line) => notices.push(line),
    });
    expect([encoder.engine, other.engine]).toEqual(["onnxruntime", "tensorflow.js wasm"]);
    expect(notices).toEqual([
      "ONNX Runtime does not load (no such module): TensorFlow.js on wasm runs the face networks",
    ]);
    const face = await aligned("happy", 3);
    expect(await other.embed([face])).toBeAllClose(await encoder.embed([face]), {
      rtol: 0,
      atol: 1e-4, // float32 sums in another order
    });
  },
);

describe("the crop rule", () => {
  test.each([
    ["auto", 96, 96],
    ["auto", 128, 128],
    ["auto", 224, 224],
    ["off", 640, 480],
  ] as const)(
    "%s takes a picture of %d × %d whole, whatever it shows",
    async (crop, width, height) => {
      const face = await encoder.prepare(blank(width, height), crop);
      expect([face?.width, face?.height]).toEqual([112, 112]);
    },
  );

  test("a picture of a few pixels has no face, whatever the rule", async () => {
    for (const crop of ["auto", "on", "off"] as const)
      expect(await encoder.prepare(blank(8, 8), crop)).toBeUndefined();
  });

  test.each([
    ["on", 96, 96],
    ["auto", 300, 300],
    ["auto", 100, 80],
  ] as const)("%s looks for the face of one of %d × %d", async (crop, width, height) => {
    expect(await encoder.prepare(blank(width, height), crop)).toBeUndefined();
  });
});

describe("readImage", () => {
  test("turns a picture as its EXIF says, makes grey RGB, lays transparency on black", async () => {
    const folder = temporaryFolder();
    const turned = join(folder, "turned.jpg");
    await sharp({ create: { width: 40, height: 20, channels: 3, background: "red" } })
      .withMetadata({ orientation: 6 })
      .jpeg()
      .toFile(turned);
    const { width, height } = await readImage(turned);
    expect([width, height]).toEqual([20, 40]);

    const grey = join(folder, "grey.png");
    await sharp(Buffer.from([10, 200]), { raw: { width: 2, height: 1, channels: 1 } })
      .toColourspace("b-w")
      .png()
      .toFile(grey);
    expect([...(await readImage(grey)).data]).toEqual([10, 10, 10, 200, 200, 200]);

    const clear = join(folder, "clear.png");
    await sharp(Buffer.from([255, 255, 255, 0]), { raw: { width: 1, height: 1, channels: 4 } })
      .png()
      .toFile(clear);
    expect([...(await readImage(clear)).data]).toEqual([0, 0, 0]);
  });

  test("shrinks a huge picture: its pixels would not fit in the network's memory", async () => {
    const path = join(temporaryFolder(), "huge.jpg");
    await sharp({ create: { width: 9000, height: 6000, channels: 3, background: "grey" } })
      .jpeg()
      .toFile(path);
    const { width, height } = await readImage(path);
    expect([width, height]).toEqual([1280, 853]);
  });

  test("refuses what is no picture, naming the file", async () => {
    const path = join(temporaryFolder(), "broken.png");
    writeFileSync(path, "not a picture");
    await expect(readImage(path)).rejects.toThrow(/broken\.png: cannot be decoded as a picture/);
  });
});
