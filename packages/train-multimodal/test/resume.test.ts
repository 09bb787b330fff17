import { cpSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { type CommandResult, namesIn, runCommand, temporaryFolder } from "../../../test/command.ts";
import { writeClips } from "./clips.ts";
import { writePairs } from "./fixture.ts";

const MORE_THAN_1_MIB = { rows: 400, imageEncoder: { dim: 1000 } };
const FEW = ["--batch_size", "32", "--backend", "wasm"];

function train(folder: string, ...args: string[]): Promise<CommandResult> {
  return runCommand("train-multimodal", ["--train_h5", "train.h5", ...FEW, ...args], {
    cwd: folder,
  });
}

/** The bytes of a run: its last checkpoint with what resuming needs, its best weights, its numbers. */
function bytesOf(folder: string): Record<string, string> {
  const last = join(folder, "multimodal_last");
  const paths = [
    ...namesIn(last).map((name) => join(last, name)),
    join(folder, "multimodal_best", "weights.bin"),
    join(folder, "metrics.json"),
    join(folder, "report.html"),
    join(folder, "history.csv"),
  ];
  return Object.fromEntries(paths.map((path) => [path, readFileSync(path, "hex")]));
}

describe("--resume goes on as if the training had never stopped", () => {
  it.each<[string, string[]]>([
    ["pairs in memory", []],
    ["pairs in their file", ["--memory", "1"]],
    ["pairs in memory, a schedule over all epochs", ["--scheduler", "onecycle"]],
    ["log-mel clips", ["--modalities", "audio"]],
  ])("%s, killed after its second epoch", async (what, flags) => {
    const folder = temporaryFolder();
    if (what === "log-mel clips") await writeClips(join(folder, "train.h5"));
    else await writePairs(folder, "train.h5", what.endsWith("file") ? MORE_THAN_1_MIB : {});
    const args = [...flags, "--epochs", "4", "--save_dir", "out"];
    const { exitCode, stderr } = await train(folder, ...args);
    expect(exitCode).toBe(0);
    expect(stderr.includes("they are read from the file in each epoch")).toBe(
      what.endsWith("file"),
    );
    const whole = bytesOf(join(folder, "out"));
    rmSync(join(folder, "out"), { recursive: true });

    const killed = await runCommand(
      "train-multimodal",
      ["--train_h5", "train.h5", ...FEW, ...args],
      { cwd: folder, killOn: /^epoch 2\//m, signal: "SIGKILL" },
    );
    expect(killed.exitCode).toBeNull();
    const resumed = await train(folder, ...args, "--resume");
    expect(resumed.stderr).toMatch(/multimodal_last: going on after epoch [23]$/m);
    expect(resumed.stderr).not.toMatch(/^epoch 1\//m);
    // Not toEqual of it all: the difference of two weights.bin would fill pages.
    const again = bytesOf(join(folder, "out"));
    expect(Object.keys(whole).filter((path) => again[path] !== whole[path])).toEqual([]);
  });
});

describe("--resume", () => {
  it("takes more epochs, and one that is finished only measures again", async () => {
    const folder = temporaryFolder();
    await writePairs(folder, "train.h5");
    await train(folder, "--epochs", "2", "--save_dir", "a");
    const before = bytesOf(join(folder, "a"));
    const finished = await train(folder, "--epochs", "2", "--save_dir", "a", "--resume", "--json");
    expect(finished.stderr).not.toMatch(/^epoch /m);
    expect(JSON.parse(finished.stdout)).toMatchObject({ median_epoch_seconds: null });
    expect(bytesOf(join(folder, "a"))).toEqual(before);

    await train(folder, "--epochs", "3", "--save_dir", "a", "--resume");
    await train(folder, "--epochs", "3", "--save_dir", "b");
    const [a, b] = ["a", "b"].map((name) =>
      readFileSync(join(folder, name, "multimodal_last", "weights.bin")),
    );
    expect(a!.equals(b!)).toBe(true);
  });

  it("refuses other settings and other rows, and names them; starts where there is nothing", async () => {
    const folder = temporaryFolder();
    await writePairs(folder, "train.h5");
    const first = await train(folder, "--epochs", "1", "--resume");
    expect(first.exitCode).toBe(0);
    expect(first.stderr).toContain("multimodal_last: nothing to go on with, the training starts");
    const kept = bytesOf(join(folder, "saved_models"));
    const refused = async (...args: string[]): Promise<string> => {
      const { exitCode, stderr } = await train(folder, "--resume", ...args);
      expect(exitCode).toBe(1);
      return stderr;
    };
    expect(await refused("--lr", "0.01")).toMatch(
      /--lr: must be as in the training of saved_models.multimodal_last, which is gone on with, 0\.001, is 0\.01/,
    );
    expect(await refused("--scheduler", "cosine")).toMatch(/--scheduler: must be .* "none", is/);
    await writePairs(folder, "train.h5", { seed: 2 });
    expect(await refused()).toMatch(/means and deviations: must be as in the training/);
    expect(bytesOf(join(folder, "saved_models"))).toEqual(kept);

    rmSync(join(folder, "saved_models", "multimodal_last", "training_state.json"));
    expect(await refused()).toMatch(/must hold training_state\.json to be gone on with/);
  });
});

describe("--resume after a kill between the two checkpoints of the best epoch", () => {
  it.each([
    ["pairs", []],
    ["log-mel clips", ["--modalities", "audio"]],
  ])("%s: puts the best in its place", async (what, flags) => {
    const folder = temporaryFolder();
    if (what === "pairs") await writePairs(folder, "train.h5");
    else await writeClips(join(folder, "train.h5"));
    const best = join(folder, "out", "multimodal_best");
    const args = [...flags, "--lr", "0.0001", "--save_dir", "out", "--json"];
    await train(folder, ...args, "--epochs", "1");
    cpSync(best, join(folder, "older"), { recursive: true });
    const { stdout } = await train(folder, ...args, "--epochs", "2", "--resume");
    expect(JSON.parse(stdout)).toMatchObject({ best_epoch: 2 });
    const contents = (): string[] =>
      namesIn(best).map((name) => readFileSync(join(best, name), "hex"));
    const whole = contents();
    rmSync(best, { recursive: true });
    cpSync(join(folder, "older"), best, { recursive: true });
    expect((await train(folder, ...args, "--epochs", "2", "--resume")).exitCode).toBe(0);
    // Not toEqual of the contents: a difference would fill pages.
    expect(contents().map((content, i) => content === whole[i])).toEqual([true, true, true]);
  });
});

describe("--repeats", () => {
  it("trains by the seeds from --seed on: each as it would by itself", async () => {
    const folder = temporaryFolder();
    await writePairs(folder, "train.h5");
    await writePairs(folder, "val.h5", { rows: 40, seed: 2, firstSpeaker: 2001 });
    const args = ["--val_h5", "val.h5", "--epochs", "2", "--json", "--seed"];
    const repeated = await train(folder, ...args, "7", "--repeats", "3", "--save_dir", "all");
    const alone = await train(folder, ...args, "8", "--save_dir", "alone");
    interface Report {
      readonly val: { readonly uar: number };
      readonly repeats: {
        readonly seeds: number[];
        readonly val: Record<string, { mean: number; deviation: number; values: number[] }>;
      } | null;
    }
    const all = JSON.parse(repeated.stdout) as Report;
    const one = JSON.parse(alone.stdout) as Report;
    expect(one.repeats).toBeNull();
    expect(all.repeats!.seeds).toEqual([7, 8, 9]);
    const { mean, deviation, values } = all.repeats!.val["uar"]!;
    expect(values[0]).toBe(all.val.uar);
    expect(values[1]).toBe(one.val.uar);
    expect(mean).toBeCloseTo((values[0]! + values[1]! + values[2]!) / 3, 12);
    const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
    expect(deviation).toBeCloseTo(Math.sqrt(squares / 2), 12);
    const weights = (...path: string[]): string =>
      readFileSync(join(folder, ...path, "multimodal_best", "weights.bin"), "hex");
    expect(weights("all", "repeats", "seed_8") === weights("alone")).toBe(true);
    expect(namesIn(join(folder, "all", "repeats"))).toEqual(["seed_8", "seed_9"]);

    // Killed before the third: what is whole is kept, the rest is trained.
    cpSync(join(folder, "all"), join(folder, "stopped"), { recursive: true });
    rmSync(join(folder, "stopped", "repeats", "seed_9"), { recursive: true });
    const resumed = await train(
      folder,
      ...args,
      "7",
      "--repeats",
      "3",
      "--save_dir",
      "stopped",
      "--resume",
    );
    expect((JSON.parse(resumed.stdout) as Report).repeats).toEqual(all.repeats);
  });
});
