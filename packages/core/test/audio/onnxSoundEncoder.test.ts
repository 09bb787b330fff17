import { readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { DEFAULT_LOG_MEL } from "@emotion-service/core/audio/logMelConfig";
import {
  type OnnxSoundOptions,
  loadOnnxSoundEncoder,
} from "@emotion-service/core/audio/onnxSoundEncoder";
import type { OnnxSoundSettings } from "@emotion-service/core/audio/onnxSoundInput";
import { createSoundPreparer } from "@emotion-service/core/audio/prepareSound";
import { soundOf } from "@emotion-service/core/audio/sound";
import type { Dims, OnnxNode } from "@emotion-service/core/onnx/model";
import { describe, expect, it } from "vitest";
import { bandsNetwork, framesNetwork, onnxFile } from "../../../../test/onnxNetworks.ts";

const load = (
  file: string,
  settings: OnnxSoundSettings = {},
  more: Partial<OnnxSoundOptions> = {},
) => loadOnnxSoundEncoder(file, "--model", { device: "auto", settings, ...more });

/** 1, 2, 3, … in units of 1/1000, so that sums are exact enough to tell places. */
function ramp(length: number): Float32Array {
  return Float32Array.from({ length }, (_, i) => (i + 1) / 1000);
}

function mean(values: ArrayLike<number>): number {
  return Array.from(values).reduce((sum, value) => sum + value, 0) / values.length;
}

async function embedOnce(
  file: string,
  values: Float32Array,
  steps: number,
  settings?: OnnxSoundSettings,
): Promise<number[]> {
  const encoder = await load(file, settings);
  const embedding = await encoder.embed(values, steps);
  expect(embedding).toHaveLength(encoder.info.dim);
  await encoder.dispose();
  return [...embedding];
}

describe("an .onnx file that takes waveforms", () => {
  it.each<[string, Dims]>([
    ["[batch, samples]", ["batch", "samples"]],
    ["[batch, 1, samples]", ["batch", 1, "samples"]],
    ["[samples]", ["samples"]],
  ])("is known by its shape, %s, and averaged over time", async (_, dims) => {
    const file = framesNetwork(dims);
    const encoder = await load(file);
    expect(encoder.input).toEqual({ kind: "waveform", sr: 16_000, samples: undefined });
    expect(encoder.info).toMatchObject({ model: "onnx", dim: 2 });
    const clip = ramp(2000); // 5 frames of 400 samples: their means, and their first samples
    const [means, firsts] = await encoder.embed(clip, clip.length);
    expect(means).toBeCloseTo(mean(clip), 4);
    expect(firsts).toBeCloseTo(mean([0, 400, 800, 1200, 1600].map((i) => clip[i]!)), 4);
    await encoder.dispose();
  });

  it("finds time by what changes with the length: [batch, values, time]", async () => {
    const file = framesNetwork(["batch", "samples"], { transposed: false });
    const clip = ramp(2000);
    const [means] = await embedOnce(file, clip, clip.length);
    expect(means).toBeCloseTo(mean(clip), 4);
  });

  it("takes the middle of a longer clip and pads a shorter one, where the file fixes the samples", async () => {
    const file = framesNetwork(["batch", 1200]);
    const encoder = await load(file);
    const prepare = createSoundPreparer(encoder.input);
    const long = ramp(2000);
    const { values, steps, usedSeconds } = await prepare(soundOf(long, 16_000));
    expect(values).toEqual(long.slice(400, 1600));
    expect(usedSeconds).toBeCloseTo(1200 / 16_000, 9);
    const [means] = await encoder.embed(values, steps);
    expect(means).toBeCloseTo(mean(long.subarray(400, 1600)), 4);
    // 400 samples in the middle of 1200: of the three frames the middle one alone is of the clip
    const [ofShort] = await encoder.embed(ramp(400), 400);
    expect(ofShort).toBeCloseTo(mean(ramp(400)), 5);
    await encoder.dispose();
  });

  it("normalises as wav2vec2's feature extractor does, where it is told to", async () => {
    const file = framesNetwork(["batch", "samples"]);
    const clip = ramp(2000).map((value) => value + 3);
    const [means, firsts] = await embedOnce(file, clip, 2000, { doNormalize: true });
    expect(means).toBeCloseTo(0, 4);
    const deviation = Math.sqrt(mean(clip.map((value) => (value - mean(clip)) ** 2)) + 1e-7);
    expect(firsts).toBeCloseTo((mean([0, 400, 800, 1200, 1600].map((i) => clip[i]!)) - mean(clip)) / deviation, 4); // prettier-ignore
  });

  it("takes an output by its name, one without time as it is", async () => {
    const pooled: OnnxNode = { op: "ReduceMean", inputs: ["frames"], output: "pooled", attributes: { axes: { ints: [1] }, keepdims: { int: 0 } } }; // prettier-ignore
    const file = framesNetwork(["batch", "samples"], { more: [pooled], outputs: [{ name: "pooled", type: "float32", dims: ["batch", 2] }] }); // prettier-ignore
    const clip = ramp(2000);
    const byTime = await embedOnce(file, clip, 2000);
    const byNetwork = await embedOnce(file, clip, 2000, { output: "pooled" });
    expect(byNetwork[0]).toBeCloseTo(byTime[0]!, 5);
    await expect(load(file, { output: "none" })).rejects.toThrow(/--output none: .*outputs frames, pooled/); // prettier-ignore
  });

  it("knows the mask by its name, wherever it stands", async () => {
    const last = { perm: { ints: [0, 2, 1] } };
    const file = onnxFile({
      inputs: [
        { name: "attention_mask", type: "int32", dims: ["batch", "samples"] },
        { name: "x", type: "float32", dims: ["batch", 1, "samples"] },
      ],
      outputs: [{ name: "y", type: "float32", dims: ["batch", "samples", 1] }],
      nodes: [{ op: "Transpose", inputs: ["x"], output: "y", attributes: last }],
    });
    const clip = ramp(2000);
    expect((await embedOnce(file, clip, clip.length))[0]).toBeCloseTo(mean(clip), 5);
  });

  it("reads rate and normalisation from its metadata, a flag goes before them", async () => {
    const metadata = { sampling_rate: "8000", do_normalize: "True" };
    const file = framesNetwork(["batch", "samples"], { metadata });
    const notices: string[] = [];
    const stated = await load(file, {}, { onNotice: (line) => notices.push(line) });
    expect(JSON.parse(stated.info.featureConfig)).toEqual({ audio_input: "waveform", sr: 8000, do_normalize: true }); // prettier-ignore
    expect(notices).toEqual([expect.stringMatching(/settings from its metadata: .*"sr":8000/)]);
    const flagged = await load(file, { sr: 16_000, doNormalize: false });
    expect(JSON.parse(flagged.info.featureConfig)).toMatchObject({ sr: 16_000, do_normalize: false }); // prettier-ignore
    const broken = framesNetwork(["batch", "samples"], { metadata: { sampling_rate: "fast" } });
    await expect(load(broken)).rejects.toThrow(
      /metadata 'sampling_rate' must be hertz, from 1000 to 384000, is 'fast'/,
    );
    await expect(load(broken, { sr: 8000 })).resolves.toBeDefined();
  });

  it("reads them from the preprocessor_config.json beside it", async () => {
    const file = framesNetwork(["batch", "samples"]);
    writeFileSync(
      join(dirname(file), "preprocessor_config.json"),
      JSON.stringify({ feature_extractor_type: "Wav2Vec2FeatureExtractor", sampling_rate: 24_000, do_normalize: true }), // prettier-ignore
    );
    const { info } = await load(file);
    expect(JSON.parse(info.featureConfig)).toEqual({ audio_input: "waveform", sr: 24_000, do_normalize: true }); // prettier-ignore
    const again = await load(file, {}, { featureConfig: info.featureConfig.replace("24000", "16000") }); // prettier-ignore
    expect(again.input).toMatchObject({ sr: 16_000 }); // what embeddings were made with, not what lies there now
  });

  it("says of a clip that is too short for it that it does not run on that", async () => {
    const encoder = await load(framesNetwork(["batch", "samples"]));
    await expect(encoder.embed(ramp(100), 100)).rejects.toMatchObject({
      code: "E_INPUT_BROKEN",
      message: expect.stringMatching(/does not run on a clip of 100 samples/),
    });
  });
});

describe("an .onnx file that takes log-mel", () => {
  const MELS = DEFAULT_LOG_MEL.n_mels;
  /** Bands -1, -2, -3, … dB: the same in every frame. */
  const bands = (frames: number): Float32Array =>
    Float32Array.from({ length: MELS * frames }, (_, i) => -1 - Math.floor(i / frames));
  const expected = Array.from({ length: MELS }, (_, m) => -1 - m);

  it.each<[string, Dims, OnnxSoundSettings]>([
    ["bands first", ["batch", 64, "frames"], {}],
    ["bands last", ["batch", "frames", 64], {}],
    ["a channel", ["batch", 1, 64, "frames"], {}],
    ["a channel, bands last", ["batch", 1, "frames", 64], {}],
    ["both fixed", [1, 94, 64], {}],
    ["all open, told", ["batch", "a", "b"], { audioInput: "logmel", layout: "ntc" }],
  ])("is known by its shape: %s", async (_, dims, settings) => {
    const file = bandsNetwork(dims, settings.layout ?? (dims.at(-1) === 64 ? "ntc" : "nct"));
    const encoder = await load(file, settings);
    expect(encoder.input).toEqual({ kind: "logmel", config: DEFAULT_LOG_MEL });
    expect([...(await encoder.embed(bands(94), 94))]).toEqual(expected);
    const { featureConfig } = encoder.info;
    const again = await load(file, {}, { featureConfig });
    expect(again.info).toEqual(encoder.info);
  });

  it("takes bands, rate and duration from its shape, its metadata and --sr", async () => {
    const shaped = await load(bandsNetwork(["batch", 40, 63], "nct"), {
      sr: 8000,
      layout: "nct",
    });
    const config = { ...DEFAULT_LOG_MEL, n_mels: 40, sr: 8000, fixed_duration: (62 * 512) / 8000 };
    expect(shaped.input).toEqual({ kind: "logmel", config });
    const prepare = createSoundPreparer(shaped.input);
    expect(await prepare(soundOf(ramp(16_000), 8000))).toMatchObject({ steps: 63 });
    const own = { ...DEFAULT_LOG_MEL, hop_length: 160, top_db: 30 };
    const metadata = { feature_config: JSON.stringify(own) };
    const stated = await load(bandsNetwork(["batch", 64, "frames"], "nct", metadata));
    expect(stated.input).toEqual({ kind: "logmel", config: own });
  });

  it("scales by --mean and --std, and pads with silence what it does not average", async () => {
    const file = bandsNetwork(["batch", 64, 10], "nct");
    const scaled = await embedOnce(file, bands(10), 10, { mean: -40, std: 20 });
    for (const [m, value] of scaled.entries()) expect(value).toBeCloseTo((39 - m) / 20, 5);
    expect(await embedOnce(file, bands(4), 4)).toEqual(expected);
    const silence = new Float32Array(MELS * 10).fill(-80);
    for (let m = 0; m < MELS; m += 1) silence.fill(-1 - m, m * 10 + 3, m * 10 + 5);
    expect(await embedOnce(file, silence, 10)).toEqual(expected);
  });
});

describe("small networks of Hugging Face's transformers", () => {
  const folder = join(import.meta.dirname, "../fixtures/onnx");
  interface Reference {
    readonly samples: number;
    readonly range: readonly [low: number, high: number];
    readonly raw: number[];
    readonly normalised: number[];
    readonly masked: number[];
  }
  const reference = JSON.parse(readFileSync(join(folder, "wav2vec2.json"), "utf8")) as Reference;
  const [low, high] = reference.range;
  const clip = Float32Array.from({ length: reference.samples }, (_, i) => low + (high - low) * hashed(i, 1)); // prettier-ignore

  // float32 sums in another order: 1e-6 of values around 1; the normalised differ from the raw by 1e-4
  it.each([
    ["wav2vec2.onnx", { doNormalize: false }, reference.raw],
    ["wav2vec2.onnx", { doNormalize: true }, reference.normalised],
    ["wav2vec2_masked.onnx", { doNormalize: true }, reference.masked],
  ] as const)("give what PyTorch gives: %s, %o", async (name, settings, expected) => {
    const embedding = await embedOnce(join(folder, name), clip, clip.length, settings);
    expect(Float32Array.from(embedding)).toBeAllClose(Float32Array.from(expected), { rtol: 0, atol: 3e-6 }); // prettier-ignore
  });
});

/** `values` of scripts/reference, in [0, 1). */
function hashed(index: number, seed: number): number {
  let x = (index + 1 + 1_000_003 * seed) >>> 0;
  x = Math.imul(x, 0x9e3779b1) >>> 0;
  x = Math.imul(x ^ (x >>> 15), 0x85ebca77) >>> 0;
  return ((x ^ (x >>> 13)) >>> 0) / 2 ** 32;
}

describe("a sound that is too long to be taken whole", () => {
  it("is refused, but not where the network takes its middle", async () => {
    const long = soundOf(new Float32Array(1000 * 301).fill(0.5), 1000);
    const whole = createSoundPreparer({ kind: "waveform", sr: 1000, samples: undefined });
    await expect(whole(long)).rejects.toThrow(/must last at most 300 s.*lasts 301 s/);
    const middle = createSoundPreparer({ kind: "waveform", sr: 1000, samples: 1000 });
    expect(await middle(long)).toMatchObject({ steps: 1000, silent: false, usedSeconds: 1 });
  });
});
