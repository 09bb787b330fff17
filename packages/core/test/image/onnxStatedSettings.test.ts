import { writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { loadOnnxEncoder } from "@emotion-service/core/image/onnxEncoder";
import { describe, expect, it } from "vitest";
import { meansNetwork, plain } from "../../../../test/onnxNetworks.ts";

const OPTIONS = { device: "auto", faceCrop: "off" } as const;
const load = (file: string) => loadOnnxEncoder(file, "--model", OPTIONS);

describe("an .onnx file that states how its pictures are made", () => {
  const COLOUR = [255, 128, 3];
  const [RED, GREEN, BLUE] = COLOUR.map((level) => level / 255) as [number, number, number];
  it.each<[string, Readonly<Record<string, string>>, number[]]>([
    ["mean and std", { mean: "[0.5, 0.25, 0]", std: "(0.5 1 0.5)" }, [(RED - 0.5) / 0.5, GREEN - 0.25, BLUE / 0.5]], // prettier-ignore
    ["one number for all channels", { mean: "0.5", std: "0.5" }, [RED, GREEN, BLUE].map((x) => (x - 0.5) / 0.5)], // prettier-ignore
    ["pixels of [0, 255], blue first", { "Image.NominalPixelRange": "NominalRange_0_255", "image.bitmappixelformat": "BGR8" }, [3, 128, 255]], // prettier-ignore
    ["pixels of [-1, 1]", { "Image.NominalPixelRange": "Normalized_1_1" }, [RED, GREEN, BLUE].map((x) => 2 * x - 1)], // prettier-ignore
    ["pixels of video", { "Image.NominalPixelRange": "NominalRange_16_235" }, [RED, GREEN, BLUE].map((x) => 16 + 219 * x)], // prettier-ignore
  ])("reads from its metadata %s", async (_, metadata, expected) => {
    const file = meansNetwork(["batch", 3, "h", "w"], "float32", { metadata: { ...metadata, input_size: "3, 4, 6" } }); // prettier-ignore
    const notices: string[] = [];
    const encoder = await loadOnnxEncoder(file, "--model", { ...OPTIONS, onNotice: (line) => notices.push(line) }); // prettier-ignore
    expect(encoder.input).toMatchObject({ height: 4, width: 6 });
    expect(notices).toEqual([
      expect.stringMatching(/network\.onnx: settings from its metadata: \{/),
    ]);
    const means = await encoder.embed([plain(COLOUR, 6, 4)]);
    for (const [i, value] of expected.entries()) expect(means[i]).toBeCloseTo(value, 4);
    const { featureConfig } = encoder.info;
    const again = await loadOnnxEncoder(file, "--weights", { ...OPTIONS, featureConfig });
    expect(await again.embed([plain(COLOUR, 6, 4)])).toEqual(means);
    const settings = { size: [8, 8], mean: [0, 0, 0], std: [1, 1, 1] } as const;
    const flagged = await loadOnnxEncoder(file, "--model", { ...OPTIONS, settings });
    expect(JSON.parse(flagged.info.featureConfig)).toMatchObject({ size: [8, 8], normalisation: { mean: [0, 0, 0] } }); // prettier-ignore
  });

  it("refuses metadata in other units, and takes the flag in their place", async () => {
    const metadata = { mean: "123.7,116.3,103.5", std: "58.4,57.1,57.4" };
    const file = meansNetwork(["batch", 3, 4, 6], "float32", { metadata });
    await expect(load(file)).rejects.toMatchObject({
      message: expect.stringMatching(/metadata 'mean' must be one number or three of \[0, 1\]/),
      hint: expect.stringMatching(/--mean/),
    });
    const settings = { mean: [0.5], std: [0.5] };
    await loadOnnxEncoder(file, "--model", { ...OPTIONS, settings });
  });

  it("reads the preprocessor_config.json beside it", async () => {
    const file = meansNetwork(["batch", 3, "h", "w"]);
    const beside = (config: object): void =>
      writeFileSync(join(dirname(file), "preprocessor_config.json"), JSON.stringify(config));
    const vit = { do_normalize: true, do_rescale: true, rescale_factor: 1 / 255, image_mean: [0.5, 0.5, 0.5], image_std: [0.5, 0.5, 0.5], size: { height: 96, width: 64 } }; // prettier-ignore
    const half = { mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5] };
    for (const [config, expected] of [
      [vit, { normalisation: half, size: [96, 64] }],
      [{ ...vit, do_center_crop: true, crop_size: 32 }, { size: [32, 32] }],
      [{ ...vit, do_normalize: false }, { normalisation: { mean: [0, 0, 0], std: [1, 1, 1] } }],
      [{ ...vit, do_rescale: false, image_mean: [127.5, 127.5, 127.5], image_std: [127.5, 127.5, 127.5] }, { normalisation: half }], // prettier-ignore
      [{ ...vit, size: { shortest_edge: 256 } }, { size: [224, 224] }],
      [{ do_normalize: false, size: 96 }, { normalisation: { mean: [0, 0, 0], std: [1, 1, 1] } }],
      [{ do_normalize: false, do_rescale: false, size: 96 }, { normalisation: { mean: [0, 0, 0], std: [1 / 255, 1 / 255, 1 / 255] } }], // prettier-ignore
      [{ do_flip_channel_order: true, size: 96 }, { channels: "bgr", normalisation: { mean: [0, 0, 0], std: [1, 1, 1] } }], // prettier-ignore
      [
        { ...vit, do_flip_channel_order: true },
        { channels: "bgr", normalisation: half },
      ],
    ] as const) {
      beside(config);
      const { info } = await load(file);
      expect(JSON.parse(info.featureConfig)).toMatchObject(expected);
    }
    beside({ ...vit, do_flip_channel_order: true, image_mean: [0.4, 0.5, 0.6] });
    await expect(load(file)).rejects.toThrow(/do_flip_channel_order and an image_mean of several/);
    const settings = { mean: [0.4, 0.5, 0.6], std: [0.5, 0.5, 0.5] };
    await loadOnnxEncoder(file, "--model", { ...OPTIONS, settings });
    beside({ ...vit, image_std: [0, 0, 0] });
    await expect(load(file)).rejects.toThrow(
      /preprocessor_config\.json beside it has 0,0,0 for --std/,
    );
  });
});
