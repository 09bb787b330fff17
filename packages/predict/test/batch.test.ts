import { existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { PREDICTION_SCHEMA } from "@emotion-service/core/predict/predictionSchema";
import type { Prediction } from "@emotion-service/core/predict/scoreInput";
import { Ajv2020 } from "ajv/dist/2020.js";
import { beforeAll, describe, expect, it } from "vitest";
import { writeSpeechSample } from "../../../scripts/sample/writeSample.ts";
import { namesIn, runCommand } from "../../../test/command.ts";
import { runInProcess } from "../../../test/inProcess.ts";
import { createProgram } from "../src/cli.ts";
import { describeFailures } from "../src/failures.ts";
import type { PredictionSummary, Predictions } from "../src/predict.ts";
import { CLASSIFIER, CLIP, DETECTOR, FACE, NO_FACE, usePipeline } from "./pipeline.ts";

const BOTH = ["--multimodal", CLASSIFIER, "--isolation", DETECTOR];
const folder = usePipeline();

const ajv = new Ajv2020({ strict: true, strictRequired: false, allowUnionTypes: true });
ajv.addSchema(PREDICTION_SCHEMA, "schema");

function expectOf(definition: "line" | "summary" | "predictions", value: unknown): void {
  const validate = ajv.getSchema(`schema#/$defs/${definition}`)!;
  void validate(value);
  expect(validate.errors).toBeNull();
}

/** Runs the program in the pipeline's folder, which must succeed; returns what it printed. */
async function run<Result = Prediction>(...args: string[]): Promise<Result> {
  const result = await runInProcess(createProgram, [...args, ...BOTH], { cwd: folder() });
  expect(result).toMatchObject({ exitCode: 0 });
  return JSON.parse(result.stdout) as Result;
}

async function runBadly(...args: string[]) {
  const before = namesIn(folder());
  const result = await runInProcess(createProgram, [...args, ...BOTH], { cwd: folder() });
  expect(namesIn(folder())).toEqual(before);
  expect(result.stdout).toBe("");
  return result;
}

function write(name: string, ...lines: string[]): void {
  writeFileSync(join(folder(), name), `${lines.join("\n")}\n`);
}

type Line = Prediction | { readonly error: string };

/** The lines of a file, each of which must be of the schema. */
function linesOf(path: string): Line[] {
  const lines = readFileSync(path, "utf8").split("\n");
  expect(lines.pop()).toBe("");
  const found = lines.map((line) => JSON.parse(line) as Line);
  for (const line of found) expectOf("line", line);
  return found;
}

describe("--manifest", () => {
  it("gives each row its line, in its order: what is told of the file alone, or why nothing is", async () => {
    write("broken.jpg", "no picture");
    write("mixed.csv", "label,path", `happy,${CLIP}`, "sad,gone.wav", `,${FACE}`, ",broken.jpg", `,${CLIP}`); // prettier-ignore
    const flags = ["--manifest", "mixed.csv", "--csv", "m.csv", "--jsonl", "m.jsonl"];
    const { stdout, stderr } = await runInProcess(createProgram, [...flags, ...BOTH], {
      cwd: folder(),
    });
    const printed = JSON.parse(stdout) as PredictionSummary;
    const causes = {
      "holds nothing to predict on (face: cannot be decoded as a picture (Input file contains unsupported image format))": 1,
      "no such file": 1,
    };
    expect(printed).toEqual({ jsonl: "m.jsonl", csv: "m.csv", inputs: 5, predicted: 3, failed: 2, resumed: 0, causes }); // prettier-ignore
    expectOf("summary", printed);
    expect(stderr).toBe(`${describeFailures(printed).join("\n")}\n`);

    const clip = await run("--audio", CLIP);
    const face = await run("--image", FACE);
    expect(linesOf(join(folder(), "m.jsonl"))).toEqual([
      clip,
      { audio: "gone.wav", error: "gone.wav: no such file" },
      face,
      { image: "broken.jpg", error: expect.stringContaining("broken.jpg: cannot be decoded") },
      clip,
    ]);
    const rows = readFileSync(join(folder(), "m.csv"), "utf8").trim().split("\n");
    expect(rows.map((row) => row.split(",")[0])).toEqual(["path", CLIP, "gone.wav", FACE, "broken.jpg", CLIP]); // prettier-ignore
    expect(rows[2]).toMatch(/^gone\.wav,+no such file$/);
    expect(rows[5]).toBe(rows[1]);
  });

  it("has a picture and a clip of one person in one row, relative to its folder or absolute", async () => {
    mkdirSync(join(folder(), "lists"));
    write("lists/pairs.csv", "image,audio", `../${FACE},${join(folder(), CLIP)}`, `../${FACE},`);
    const printed = await run<Predictions>("--manifest", "lists/pairs.csv");
    expectOf("predictions", printed);
    const pair = await run("--image", FACE, "--audio", CLIP);
    const face = await run("--image", FACE);
    expect(printed).toEqual({
      predictions: [{ ...pair, audio: join(folder(), CLIP) }, face],
      failed: [],
    });
  });

  it("may have semicolons, as Excel writes it in much of Europe", async () => {
    write("semicolons.csv", "\uFEFFpath;label\r", `${CLIP};happy\r`, "\r");
    const printed = await run<Predictions>("--manifest", "semicolons.csv");
    expect(printed.predictions.map(({ audio }) => audio)).toEqual([CLIP]);
  });

  it("has a timeline where there is time", async () => {
    write("times.csv", "path", FACE, CLIP);
    const printed = await run<Predictions>("--manifest", "times.csv", "--window", "1");
    expectOf("predictions", printed);
    expect(printed.predictions.map(({ timeline }) => timeline === undefined)).toEqual([
      true,
      false,
    ]);
  });

  it.each([
    ["no column", ["image_path"], 1, "must have the column path, or some of image, audio, video; has image_path"], // prettier-ignore
    ["both kinds of columns", ["path,image", "a.jpg,a.jpg"], 1, "must have the column path, or some"], // prettier-ignore
    ["no row", ["path"], 1, "has no row below its first line"],
    ["an ending that says nothing", ["path", CLIP, "notes.txt"], 1, "line 3: the ending of 'notes.txt'"], // prettier-ignore
    ["a row of nothing", ["image,audio", ","], 1, "line 2: image, audio: nothing is named"],
    ["a video and more", ["video,audio", "a.mp4,a.wav"], 1, "line 2: names a video and another file"], // prettier-ignore
    ["rows of which none can be read", ["path", "a.wav", "b.wav"], 1, "--manifest bad.csv: none of its 2 inputs gave a prediction\n  hint: 2 × no such file; relative paths start at the manifest's folder"], // prettier-ignore
  ])("is refused with %s", async (_, lines, exitCode, message) => {
    write("bad.csv", ...lines);
    const result = await runBadly("--manifest", "bad.csv", "--jsonl", "bad.jsonl");
    expect(result).toMatchObject({ exitCode, stderr: expect.stringContaining(message) as unknown });
  });

  it("is not written over, and no more than one source is named", async () => {
    write("kept.csv", "path", CLIP);
    const over = await runBadly("--manifest", "kept.csv", "--csv", "kept.csv");
    expect(over).toMatchObject({ exitCode: 2 });
    const two = await runBadly("--manifest", "kept.csv", "--audio_dir", "audio");
    expect(two).toMatchObject({ exitCode: 2 });
    write("still.csv", "image", NO_FACE);
    const still = await runBadly("--manifest", "still.csv", "--window", "1");
    expect(still).toMatchObject({ exitCode: 2 });
    expect(still.stderr).toContain("a picture has no time");
  });
});

it("one input has a line too, and its prediction is printed all the same", async () => {
  const printed = await run("--audio", CLIP, "--jsonl", "one.jsonl");
  expect(linesOf(join(folder(), "one.jsonl"))).toEqual([printed]);
});

it("sums causes up without the files' names, however many frames they have", () => {
  const failed = ["a.mp4", "b/c.mp4"].map((video, i) => ({
    video,
    error: `${video}: holds nothing to predict on (face: no face found in ${i + 3} frames; voice: ${video}: no sound)`,
  }));
  expect(describeFailures({ predictions: [], failed })).toEqual([
    "failed: 2",
    "  2 × holds nothing to predict on (face: no face found; voice: no sound)",
  ]);
});

describe("--resume", () => {
  const CLIPS = 150;
  const JOURNAL = ".p.jsonl.unfinished";
  const FLAGS = ["--audio_dir", "clips", "--quiet", "--json", "--csv", "out/p.csv", "--jsonl", "out/p.jsonl"]; // prettier-ignore
  let work = "";

  beforeAll(() => {
    work = join(folder(), "resume");
    mkdirSync(work);
    const names = writeSpeechSample(join(work, "clips"), { speakers: 1, sentences: 1 });
    for (let i = 0; i < CLIPS; i += 1)
      symlinkSync(names[i % names.length]!, join(work, "clips", `link_${i}.wav`));
    writeFileSync(join(work, "clips/broken.wav"), "no sound");
  });

  const predict = (
    flags: readonly string[] = [],
    kill: Pick<NonNullable<Parameters<typeof runCommand>[2]>, "killWhen" | "signal"> = {},
  ) => runCommand("predict", [...FLAGS, ...flags], { cwd: work, ...kill });

  async function predictWell(...flags: string[]): Promise<PredictionSummary> {
    const { exitCode, stdout, stderr } = await predict(flags);
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
    return JSON.parse(stdout) as PredictionSummary;
  }

  /** Predictions that the journal holds; the last may not be whole. */
  function journalled(): number {
    const path = join(work, "out", JOURNAL);
    return existsSync(path) ? readFileSync(path, "latin1").split('{"key":').length - 1 : 0;
  }
  const isHalfDone = (): boolean => journalled() > CLIPS / 3;
  const bytes = () => ["p.csv", "p.jsonl"].map((name) => readFileSync(join(work, "out", name)));

  it("after kill -9 does the rest, to the bytes of one run", async () => {
    const { inputs, predicted, failed, causes } = await predictWell();
    expect([inputs, predicted, failed]).toEqual([CLIPS + 7, CLIPS + 6, 1]);
    expect(Object.values(causes)).toEqual([1]);
    const expected = bytes();
    rmSync(join(work, "out"), { recursive: true });

    const killed = await predict([], { killWhen: isHalfDone, signal: "SIGKILL" });
    expect(killed.exitCode).toBe(null);
    const done = journalled();
    const { resumed, ...rest } = await predictWell("--resume");
    expect(rest).toMatchObject({ inputs, predicted, failed });
    expect(done - resumed).toBeOneOf([0, 1]); // the last piece may have been cut
    expect(resumed).toBeGreaterThan(CLIPS / 4);
    expect(namesIn(join(work, "out"))).toEqual(["p.csv", "p.jsonl"]);
    expect(bytes().map((each, i) => each.equals(expected[i]!))).toEqual([true, true]);
    rmSync(join(work, "out"), { recursive: true });
  });

  it("after Ctrl-C goes on as that says; not with other flags or models; without it begins anew", async () => {
    const stopped = await predict([], { killWhen: isHalfDone });
    const done = journalled();
    expect(stopped).toEqual({
      exitCode: 130,
      stdout: "",
      stderr: `predict: stopped before the end\n  hint: ${done} of ${CLIPS + 7} inputs are done: the same command with --resume goes on with the others\n`,
    });
    expect(namesIn(join(work, "out"))).toEqual([JOURNAL]);

    const flags = await predict(["--resume", "--min_confidence", "0.5"]);
    expect(flags.exitCode).toBe(1);
    expect(flags.stderr).toContain("begun with other settings (min_confidence none, now 0.5)");
    const models = await predict(["--resume", "--multimodal", join(folder(), CLASSIFIER)]);
    expect(models.exitCode).toBe(1);
    expect(models.stderr).toMatch(/begun with other settings \(multimodal none, now [0-9a-f]{64}/);
    expect(journalled()).toBe(done);
    expect((await predictWell()).resumed).toBe(0);
    rmSync(join(work, "out"), { recursive: true });
  });

  it("needs many inputs, and a file", async () => {
    const one = await runBadly("--audio", CLIP, "--jsonl", "a.jsonl", "--resume");
    expect(one.exitCode).toBe(2);
    expect(one.stderr).toContain("--resume: is for a folder or a manifest");
    const none = await runBadly("--audio_dir", "audio", "--resume");
    expect(none.exitCode).toBe(2);
    expect(none.stderr).toContain("name it with --jsonl or --csv");
  });
});
