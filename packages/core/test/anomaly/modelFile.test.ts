import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fit, scoreSamples } from "@emotion-service/core/anomaly/forest";
import { FOREST_DEFAULTS } from "@emotion-service/core/anomaly/forestDefaults";
import {
  type AnomalyModel,
  loadAnomalyModel,
  saveAnomalyModel,
} from "@emotion-service/core/anomaly/modelFile";
import { UserError } from "@emotion-service/core/errors";
import { describe, expect, it } from "vitest";
import { temporaryFolder } from "../../../../test/command.ts";
import { referenceRows } from "./reference.ts";

const encoder = { weightsSha256: "none", featureConfig: '{"sr":16000}' };
const model: AnomalyModel = {
  forest: fit(referenceRows, FOREST_DEFAULTS),
  seed: 42,
  trainingRows: referenceRows.rows,
  imageEncoder: { ...encoder, model: "face", dim: 2 },
  audioEncoder: { ...encoder, model: "audio_stats", dim: 4 },
  means: Float32Array.of(0.1, 2, 3, 4, 5, 6),
};

describe("a saved model", () => {
  it("comes back as it was, to the last digit", () => {
    const path = join(temporaryFolder(), "isolation_forest.json");
    saveAnomalyModel(path, model);
    const loaded = loadAnomalyModel(path, "--isolation");
    expect(loaded).toEqual(model);
    expect(scoreSamples(loaded.forest, referenceRows)).toEqual(
      scoreSamples(model.forest, referenceRows),
    );
  });

  it("of one modality comes back so", () => {
    const path = join(temporaryFolder(), "isolation_forest.json");
    const alone = {
      ...model,
      imageEncoder: undefined,
      audioEncoder: { ...encoder, model: "audio_stats", dim: 6 },
    };
    saveAnomalyModel(path, alone);
    expect(loadAnomalyModel(path, "--isolation")).toEqual(alone);
  });

  it.each([
    ["E_INPUT_BROKEN", "cannot be read as JSON", () => "not JSON"],
    ["E_LAYOUT", "must be an isolation forest", () => '{"format":"other"}'],
    [
      "E_LAYOUT",
      "format_version must be 1, is 9",
      (text: string) => text.replace('"format_version":1', '"format_version":9'),
    ],
    [
      "E_INPUT_BROKEN",
      "offset must be a number",
      (text: string) => text.replace('"offset":', '"no_offset":'),
    ],
    [
      "E_INPUT_BROKEN",
      "trees[0] is no tree",
      (text: string) => text.replace('"left":[1', '"left":[0'),
    ],
    [
      "E_INPUT_BROKEN",
      "trees[0] is no tree",
      (text: string) => text.replace(/"right":\[\d+/, '"right":[1'),
    ],
    [
      "E_INPUT_BROKEN",
      "trees[0] is no tree", // one more leaf, which no node leads to
      (text: string) =>
        ["feature", "threshold", "left", "right", "n_node_samples"].reduce(
          (json, key) => json.replace(new RegExp(`("${key}":\\[[^\\]]+)`), "$1,-1"),
          text,
        ),
    ],
    ["E_INPUT_BROKEN", "do not fit together", (text: string) => text.replace('"dim":2', '"dim":3')],
  ])("is refused when damaged: %s, %s", (code, message, damage) => {
    const path = join(temporaryFolder(), "isolation_forest.json");
    saveAnomalyModel(path, model);
    writeFileSync(path, damage(readFileSync(path, "utf8")));
    let caught: unknown;
    try {
      loadAnomalyModel(path, "--isolation");
    } catch (error) {
      caught = error;
    }
    expect(caught).toBeInstanceOf(UserError);
    expect(caught).toMatchObject({ code, message: expect.stringContaining(message) });
  });
});
