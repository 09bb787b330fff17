import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { readCheckpoint } from "@emotion-service/core/model/checkpoint";
import { describe, expect, it } from "vitest";
import { namesIn, runCommand, temporaryFolder } from "../../../test/command.ts";
import { writePairs } from "./fixture.ts";

/** 1.83 MiB of values, of which `--memory 1` holds none. */
const PAIRS = { rows: 8000, imageEncoder: { dim: 40 }, audioEncoder: { dim: 20 } };
const FEW = ["--epochs", "1", "--batch_size", "64", "--backend", "wasm", "--json"];

interface Report {
  readonly val: { readonly uar: number };
  readonly history: unknown[];
}

async function train(folder: string, out: string, ...args: string[]) {
  const files = ["--train_h5", "train.h5", "--save_dir", out];
  const result = await runCommand("train-multimodal", [...files, ...FEW, ...args], { cwd: folder });
  if (result.exitCode !== 0) throw new Error(result.stderr);
  const weights = readFileSync(join(folder, out, "multimodal_last", "weights.bin"));
  return {
    report: JSON.parse(result.stdout) as Report,
    // Without what tells of progress.
    notices: result.stderr.split("\n").filter((line) => !/^epoch |^\d+\/\d+ /.test(line)),
    weights: createHash("sha256").update(weights).digest("hex"),
    standardisation: readCheckpoint(join(folder, out, "multimodal_last"), "").weights,
  };
}

describe("rows that stay in their file", () => {
  it("train as well as rows in memory, and the same whoever reads them", async () => {
    const folder = temporaryFolder();
    await writePairs(folder, "train.h5", { ...PAIRS, missingImages: true });
    const whole = await train(folder, "whole");
    const streamed = await train(folder, "streamed", "--memory", "1");
    expect(streamed.report.val.uar).toBeGreaterThan(0.8);
    expect(Math.abs(streamed.report.val.uar - whole.report.val.uar)).toBeLessThan(0.03);
    for (const name of ["image.mean", "image.deviation", "audio.mean", "audio.deviation"])
      expect(streamed.standardisation.get(name)!.data).toBeAllClose(
        whole.standardisation.get(name)!.data,
        { rtol: 1e-6, atol: 1e-7 },
      );
    const isOurs = (line: string): boolean => line.includes("are read from the file");
    expect(streamed.notices.filter((line) => !isOurs(line))).toEqual(whole.notices);
    expect(streamed.notices.filter(isOurs)).toEqual([
      "train.h5: its values take 2 MiB, more than what is left of --memory 1 MiB: they are read from the file in each epoch",
    ]);
    expect(whole.notices.some(isOurs)).toBe(false);

    const ahead = await train(folder, "ahead", "--memory", "1", "--prefetch", "--workers", "2");
    expect(ahead.weights).toBe(streamed.weights);
    expect(ahead.report.history).toEqual(streamed.report.history);
  });

  it.each([
    ["the first pass", "--memory", /are read from the file/],
    ["the first pass, reading ahead", "--prefetch", /are read from the file/],
    ["an epoch", "--memory", /^epoch 1\//m],
    ["an epoch, reading ahead", "--prefetch", /^epoch 1\//m],
  ])("Ctrl-C ends %s", async (_name, flag, killOn) => {
    const folder = temporaryFolder();
    await writePairs(folder, "train.h5", PAIRS);
    const args = ["--train_h5", "train.h5", "--epochs", "1000", "--batch_size", "4096"];
    const reading = flag === "--prefetch" ? ["--memory", "1", flag] : ["--memory", "1"];
    const result = await runCommand(
      "train-multimodal",
      [...args, "--backend", "wasm", ...reading],
      {
        cwd: folder,
        killOn,
      },
    );
    expect(result).toMatchObject({ exitCode: 130, stdout: "" });
    const hasEpoch = result.stderr.includes("epoch 1/");
    expect(result.stderr).toMatch(
      hasEpoch
        ? /train-multimodal: stopped after epoch \d+, which is saved\n {2}hint: .*--resume/
        : /train-multimodal: stopped before the end\n$/,
    );
    expect(namesIn(folder)).toEqual(hasEpoch ? ["saved_models", "train.h5"] : ["train.h5"]);
  });
});
