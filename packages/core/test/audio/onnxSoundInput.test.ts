import { writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { loadOnnxSoundEncoder } from "@emotion-service/core/audio/onnxSoundEncoder";
import type { OnnxSoundSettings } from "@emotion-service/core/audio/onnxSoundInput";
import type { Dims, OnnxValue } from "@emotion-service/core/onnx/model";
import { describe, expect, it } from "vitest";
import { bandsNetwork, framesNetwork, onnxFile } from "../../../../test/onnxNetworks.ts";

const load = (file: string, settings: OnnxSoundSettings = {}) =>
  loadOnnxSoundEncoder(file, "--model", { device: "auto", settings });

describe("an .onnx file that is to take sound is refused", () => {
  const x = (dims: Dims, type: OnnxValue["type"] = "float32"): OnnxValue => ({
    name: "x",
    type,
    dims,
  });
  const ids: OnnxValue = { name: "input_ids", type: "int64", dims: ["batch", "n"] };
  it.each<[string, readonly OnnxValue[], OnnxSoundSettings, RegExp]>([
    [
      "that takes pictures",
      [x(["batch", 3, 8, 8])],
      {},
      /must take one clip.* takes x \[batch,3,8,8\]/,
    ],
    ["of another type", [x(["batch", "samples"], "int64")], {}, /takes x \[batch,samples\] int64/],
    [
      "with a second input that is no mask",
      [x(["batch", "samples"]), ids],
      {},
      /and input_ids \[batch,n\] int64/,
    ],
    ["of several clips at once", [x([4, "samples"])], {}, /takes x \[4,samples\]/],
    ["of embeddings", [x(["batch", 512])], {}, /takes x \[batch,512\]/],
    ["that may be both", [x(["batch", "a", "b"])], {}, /may be a waveform or log-mel/],
    [
      "whose bands may be either",
      [x(["batch", 94, 80])],
      {},
      /does not tell which axis are the mel bands, of which 64/,
    ],
    [
      "that is no log-mel",
      [x(["batch", "samples"])],
      { audioInput: "logmel" },
      /--audio_input logmel: .* takes x \[batch,samples\]/,
    ],
    [
      "that is no waveform",
      [x(["batch", 64, "t"])],
      { audioInput: "waveform" },
      /--audio_input waveform: /,
    ],
    [
      "of log-mel, to be normalised",
      [x(["batch", 64, "t"])],
      { doNormalize: true },
      /--do_normalize: .*takes log-mel/,
    ],
    [
      "of waveforms, with a layout",
      [x(["batch", "t"])],
      { layout: "nct" },
      /--layout: .*takes waveforms/,
    ],
  ])("%s", async (_, inputs, settings, message) => {
    // prettier-ignore
    const file = onnxFile({
      inputs,
      outputs: [{ name: "y", type: "float32", dims: ["batch", "t", "d"] }],
      nodes: [{ op: "Identity", inputs: ["x"], output: "y", attributes: {} }],
    });
    await expect(load(file, settings)).rejects.toMatchObject({
      code: "E_LAYOUT",
      message: expect.stringMatching(message),
    });
  });

  it.each([
    [{ sampling_rate: "0" }, /metadata 'sampling_rate' must be hertz, from 1000 to 384000, is '0'/],
    [{ do_normalize: "yes" }, /metadata 'do_normalize' must be true or false/],
    [
      { feature_config: '{"sr":16000}' },
      /metadata 'feature_config' must be .* \(n_fft is undefined\)/,
    ],
    [{ std: "0" }, /metadata 'std' must be one number, dB, is '0'/],
  ] as const)("whose metadata cannot be understood: %o", async (metadata, message) => {
    // prettier-ignore
    const isLogMel = "feature_config" in metadata || "std" in metadata;
    const file = isLogMel
      ? bandsNetwork(["batch", 64, "frames"], "nct", metadata)
      : framesNetwork(["batch", "samples"], { metadata });
    await expect(load(file)).rejects.toMatchObject({
      code: "E_LAYOUT",
      message: expect.stringMatching(message),
    });
  });

  it("whose output has no row for the clip", async () => {
    const file = onnxFile({
      inputs: [x(["batch", "samples"])],
      outputs: [{ name: "y", type: "float32", dims: ["batch", "samples"] }],
      nodes: [{ op: "Identity", inputs: ["x"], output: "y", attributes: {} }],
    });
    await expect(load(file)).rejects.toThrow(/must be \[batch,values\].* is \[1,16000\] and \[1,32000\] for 16000 and 32000 samples/); // prettier-ignore
  });

  it("that takes the features of somebody else", async () => {
    const file = bandsNetwork(["batch", 80, 3000], "nct");
    writeFileSync(
      join(dirname(file), "preprocessor_config.json"),
      JSON.stringify({ feature_extractor_type: "WhisperFeatureExtractor", sampling_rate: 16_000 }),
    );
    await expect(load(file)).rejects.toThrow(/takes the features of WhisperFeatureExtractor/);
    writeFileSync(join(dirname(file), "preprocessor_config.json"), "{");
    await expect(load(file)).rejects.toThrow(/preprocessor_config\.json: is no JSON/);
  });

  it("without ONNX Runtime", async () => {
    const { readEncoderFile, startEncoder } =
      await import("@emotion-service/core/onnx/encoderFile");
    const file = readEncoderFile(framesNetwork(["batch", "samples"]), "--model");
    const runtime = { ok: false, cause: "none here" } as const;
    const options = { device: "auto", featureConfig: "{}", stated: undefined, onNotice: undefined } as const; // prettier-ignore
    const probe = () => Promise.resolve({ dim: 1 });
    await expect(startEncoder(file, options, probe, runtime)).rejects.toMatchObject({
      code: "E_UNAVAILABLE",
      message: expect.stringMatching(
        /--model .*needs ONNX Runtime, which does not load \(none here\)/,
      ),
    });
  });
});
