import { join } from "node:path";
import { kernel } from "@emotion-service/core/audio/kernel";
import { describeFaceEncoder } from "@emotion-service/core/face/faceEncoder";
import { createInputEncoders } from "@emotion-service/core/predict/embedInput";
import { openPredictor } from "@emotion-service/core/predict/predictor";
import { loadOnnxRuntime } from "@emotion-service/core/onnx/session";
import { afterEach, describe, expect, it, vi } from "vitest";
import { framesNetwork, meansNetwork } from "../../../test/onnxNetworks.ts";
import { CLIP, DETECTOR, FACE, usePipeline } from "./pipeline.ts";

const folder = usePipeline();

describe("a network that is not the one of the training", () => {
  afterEach(() => vi.restoreAllMocks());

  /** How many sessions of ONNX Runtime are begun and not ended from now on. */
  function countOpen(): () => number {
    const runtime = loadOnnxRuntime();
    if (!runtime.ok) throw new Error(runtime.cause);
    const { InferenceSession } = runtime.ort;
    const create = InferenceSession.create.bind(InferenceSession);
    let open = 0;
    vi.spyOn(InferenceSession, "create").mockImplementation(async (...args) => {
      const session = await create(...args);
      open += 1;
      const release = session.release.bind(session);
      vi.spyOn(session, "release").mockImplementation(async () => {
        open -= 1;
        await release();
      });
      return session;
    });
    return () => open;
  }
  const OTHER = { model: "onnx", weightsSha256: "ab".repeat(32) } as const;

  it("is closed when it is refused", async () => {
    const open = countOpen();
    const weights = meansNetwork(["batch", 3, 4, 6]);
    const audioWeights = framesNetwork(["batch", "samples"]);
    const encoders = createInputEncoders(
      {
        image: { ...OTHER, featureConfig: '{"face_crop":"off","size":[4,6]}', dim: 3 },
        audio: { ...OTHER, featureConfig: '{"audio_input":"waveform","sr":16000}', dim: 2 },
      },
      { weights, audioWeights, env: {} },
    );
    await expect(encoders.image("a.jpg")).rejects.toMatchObject({ code: "E_SETTINGS" });
    const clip = join(folder(), CLIP);
    await expect(encoders.audio(clip)).rejects.toMatchObject({ code: "E_SETTINGS" });
    await encoders.dispose();
    expect(open()).toBe(0);
  });

  it("and is a face_cnn: its flag is named", async () => {
    const image = { ...describeFaceEncoder("auto", undefined), model: "face_cnn", weightsSha256: "ab".repeat(32) }; // prettier-ignore
    const encoders = createInputEncoders({ image }, { weights: undefined, env: {} });
    await expect(encoders.image(join(folder(), FACE))).rejects.toMatchObject({
      code: "E_SETTINGS",
      message: expect.stringMatching(/face_cnn embeddings with the weights of SHA-256 abab/),
      hint: expect.stringContaining("with --weights"),
    });
  });
});

it("a predictor that is closed gives the memory of its forest back", async () => {
  const options = {
    multimodal: undefined,
    isolation: join(folder(), DETECTOR),
    weights: undefined,
    audioWeights: undefined,
    env: {},
    onNotice: () => {},
  };
  const look = { fps: 2, top: undefined, minConfidence: undefined, window: undefined, step: undefined }; // prettier-ignore
  const openAndPredict = async (): Promise<number | null | undefined> => {
    const predictor = await openPredictor(options, ["audio"]);
    const told = await predictor.predict({ audio: join(folder(), CLIP) }, look);
    await predictor.dispose();
    return "error" in told ? undefined : told.anomaly_score;
  };
  const score = await openAndPredict();
  expect(score).toEqual(expect.any(Number));
  const { byteLength } = kernel.memory.buffer;
  for (let i = 0; i < 30; i += 1) expect(await openAndPredict()).toBe(score);
  expect(kernel.memory.buffer.byteLength).toBe(byteLength);
});
