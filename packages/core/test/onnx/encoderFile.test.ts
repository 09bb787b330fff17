import { type EncoderFile, startEncoder } from "@emotion-service/core/onnx/encoderFile";
import type { OnnxRuntime } from "@emotion-service/core/onnx/session";
import { expect, it } from "vitest";

it("startEncoder ends the session of a network whose first run fails", async () => {
  let ended = 0;
  const ort = {
    listSupportedBackends: () => [{ name: "cpu", bundled: true }],
    InferenceSession: {
      create: () =>
        Promise.resolve({
          run: () => Promise.resolve({}),
          release: () => Promise.resolve(void (ended += 1)),
        }),
    },
  } as unknown as OnnxRuntime;
  const info = { inputs: [], outputs: [], metadata: {}, externalFiles: [] };
  const file: EncoderFile = { path: "a.onnx", flag: "--model", bytes: new Uint8Array(), info };
  const options = { device: "cpu", featureConfig: "{}", stated: undefined, onNotice: undefined } as const; // prettier-ignore
  const start = (probe: () => Promise<{ dim: number }>) =>
    startEncoder(file, options, probe, { ok: true, ort });
  await expect(start(() => Promise.reject(new Error("no embedding")))).rejects.toThrow(
    "no embedding",
  );
  expect(ended).toBe(1);
  const { info: found } = await start(() => Promise.resolve({ dim: 5 }));
  expect([found.dim, ended]).toEqual([5, 1]);
});
