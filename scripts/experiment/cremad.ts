/**
 * The experiment of a paper on a CREMA-D folder: emotions of speakers that were not heard in training, over five published
 * folds with speakers apart (EMO-SUPERB's), of sound alone and, with videos, of faces and of both.
 *
 *     pnpm experiment:cremad --cremad DIR [--videos DIR] [--out results/cremad] [--models audio_stats,audio_cnn] [--folds 1,2,3,4,5]
 *         [--epochs 30] [--seed 42] [--json]
 *
 * DIR holds the clips, or AudioWAV and VideoFlash as CREMA-D has them. Prints macro recall and accuracy on the test speakers, mean ±
 * deviation (n − 1) over the folds. Labels are the acted ones, of the file names. A fold's validation speakers choose the epoch of the
 * classifiers on embeddings; audio_cnn is measured after its last epoch.
 *
 * The audio_cnn that comes along has heard most speakers of CREMA-D, so that it may not embed here: the one of this table is trained
 * within each fold, on its training speakers. audio_stats and the face embedding are not trained on CREMA-D.
 *
 * Features and embeddings in --out are used again: delete the folder to begin anew.
 */
import { execFile } from "node:child_process";
import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs, promisify } from "node:util";
import { table } from "../../packages/core/src/cli/table.ts";
import { UserError } from "../../packages/core/src/errors.ts";
import { requireFolder } from "../../packages/core/src/files/listFiles.ts";
import { loadTensorFlow } from "../../packages/core/src/model/backend.ts";
import { evaluate } from "../../packages/core/src/model/trainClassifier.ts";
import { FLAGS, fit, readCorpus, sourceOf } from "../audioCnn/fit.ts";
import { settingsOf } from "../recipe.ts";
import { writeAudioFold } from "./audioOnly.ts";
import { FOLDS, FOLD_PARTS, partIn, requireFold, writeFoldCsv } from "./folds.ts";

/** What one training gives on the test speakers of a fold. */
interface Result {
  readonly uar: number;
  readonly accuracy: number;
}

const MODELS = ["audio_stats", "audio_cnn"];
const root = fileURLToPath(new URL("../..", import.meta.url));
const { values: flags } = parseArgs({
  options: {
    cremad: { type: "string" },
    videos: { type: "string" },
    out: { type: "string", default: "results/cremad" },
    models: { type: "string", default: "audio_stats" },
    folds: { type: "string", default: FOLDS.join() },
    epochs: { type: "string", default: "30" },
    seed: { type: "string", default: "42" },
    json: { type: "boolean", default: false },
  },
});

try {
  await run();
} catch (error) {
  if (!(error instanceof UserError)) throw error;
  process.stderr.write(`experiment:cremad: ${error.message}\n  hint: ${error.hint ?? ""}\n`);
  process.exitCode = error.code === "E_FLAG" ? 2 : 1;
}

async function run(): Promise<void> {
  const { out } = flags;
  const folds = flags.folds.split(",").map(Number);
  const models = flags.models.split(",");
  refuseWrongFlags(folds, models);
  const { audioDir, videosDir } = findFolders();
  mkdirSync(out, { recursive: true });
  const clips = await made("clips.h5", "audio-preprocess", (path) => [
    "--audio_dir",
    audioDir,
    "--out_h5",
    path,
    "--out_dir",
    out,
    "--labels",
    "cremad",
  ]);
  const corpus = await readCorpus(clips);
  const speakers = [...new Set(corpus.speakers)].sort();
  for (const fold of folds) requireFold(fold, speakers);

  const results = new Map<string, Result[]>();
  const note = (name: string, result: Result): void => {
    results.set(name, [...(results.get(name) ?? []), result]);
  };
  const embedded =
    models.includes("audio_stats") || videosDir !== undefined
      ? await embedAll(clips, videosDir)
      : undefined;
  for (const fold of folds) {
    if (embedded !== undefined) await embeddingsFold(fold, embedded, speakers, note);
    if (models.includes("audio_cnn")) note("sound, audio_cnn of the fold", await cnnFold(fold));
  }
  const facts = { clips: corpus.labels.length, speakers: speakers.length, folds };
  process.stdout.write(
    `${flags.json ? JSON.stringify({ ...facts, results: summary(results) }) : report(facts, results)}\n`,
  );

  async function cnnFold(fold: number): Promise<Result> {
    const { tf } = await loadTensorFlow("auto");
    const isIn = (part: string) => (row: number) =>
      partIn(fold, corpus.speakers[row] ?? "") === part;
    const { values: defaults } = parseArgs({ args: [], options: FLAGS });
    const settings = settingsOf({ ...defaults, epochs: flags.epochs, seed: flags.seed });
    const rows = { isTrained: isIn("train"), isWatched: isIn("val") };
    const model = await fit(tf, corpus, settings, rows, `fold ${fold} audio_cnn`);
    const { metrics } = await evaluate(tf, model, sourceOf(corpus, isIn("test")), corpus.classes);
    model.dispose();
    return metrics;
  }
}

function refuseWrongFlags(folds: readonly number[], models: readonly string[]): void {
  const refuse = (flag: string, rule: string, value: string): never => {
    throw new UserError("E_FLAG", `${flag}: ${rule}, got '${value}'`, {
      hint: "see the head of the script",
    });
  };
  if (flags.cremad === undefined) refuse("--cremad", "must name the folder of CREMA-D", "");
  if (folds.length === 0 || !folds.every((fold) => FOLDS.includes(fold)))
    refuse("--folds", `must be some of ${FOLDS.join()}`, flags.folds);
  if (!models.every((model) => MODELS.includes(model)))
    refuse("--models", `must be some of ${MODELS.join()}`, flags.models);
  if (!/^[1-9]\d*$/.test(flags.epochs))
    refuse("--epochs", "must be a whole number of at least 1", flags.epochs);
  if (!/^\d+$/.test(flags.seed))
    refuse("--seed", "must be a whole number of at least 0", flags.seed);
}

/** The folders of the clips and of the videos: CREMA-D's own names below --cremad, else --cremad itself. */
function findFolders(): { readonly audioDir: string; readonly videosDir: string | undefined } {
  const cremad = flags.cremad ?? "";
  requireFolder(cremad, "--cremad");
  if (flags.videos !== undefined) requireFolder(flags.videos, "--videos");
  const [wav, flash] = [join(cremad, "AudioWAV"), join(cremad, "VideoFlash")];
  return {
    audioDir: existsSync(wav) ? wav : cremad,
    videosDir: flags.videos ?? (existsSync(flash) ? flash : undefined),
  };
}

/** The embeddings that all folds share. */
interface Embedded {
  readonly audio: string;
  /** undefined: there are no videos. */
  readonly faces: string | undefined;
}

async function embedAll(clips: string, videosDir: string | undefined): Promise<Embedded> {
  const audio = await made("audio_stats.h5", "embed", (path) => [
    "--audio_h5",
    clips,
    "--model",
    "audio_stats",
    "--out_h5",
    path,
  ]);
  if (videosDir === undefined) return { audio, faces: undefined };
  const faces = await made("faces.h5", "embed", (path) => [
    "--videos_dir",
    videosDir,
    "--model",
    "face",
    "--out_h5",
    path,
    "--out_audio_h5",
    join(flags.out, "videos_audio.h5"),
  ]);
  return { audio, faces };
}

/** Trains classifiers on the embeddings of a fold: of sound alone or, with videos, of each alone and of both, on the same rows. */
async function embeddingsFold(
  fold: number,
  { audio, faces }: Embedded,
  speakers: readonly string[],
  note: (name: string, result: Result) => void,
): Promise<void> {
  const prefix = join(flags.out, `fold_${fold}`);
  if (faces === undefined) {
    await writeAudioFold(audio, fold, prefix);
    note("sound, audio_stats", await train(prefix, "audio"));
    return;
  }
  writeFoldCsv(`${prefix}.csv`, fold, speakers);
  await command("pair", [
    "--img_h5",
    faces,
    "--aud_h5",
    audio,
    "--out_h5",
    `${prefix}.h5`,
    "--match_by",
    "name",
    "--split_csv",
    `${prefix}.csv`,
    "--quiet",
  ]);
  note("sound, audio_stats", await train(prefix, "audio"));
  note("face", await train(prefix, "image"));
  note("face and sound, audio_stats", await train(prefix, "both"));
}

async function train(prefix: string, modalities: string): Promise<Result> {
  const files = FOLD_PARTS.flatMap((part) => [`--${part}_h5`, `${prefix}_${part}.h5`]);
  const output = await command("train-multimodal", [
    ...files,
    "--modalities",
    modalities,
    "--save_dir",
    join(`${prefix}_models`, modalities),
    "--epochs",
    flags.epochs,
    "--seed",
    flags.seed,
    "--json",
    "--quiet",
  ]);
  const { test } = JSON.parse(output) as { readonly test: Result };
  process.stderr.write(`${prefix} ${modalities}: macro recall ${test.uar.toFixed(4)}\n`);
  return { uar: test.uar, accuracy: test.accuracy };
}

/** A file in --out, which a command makes where it is not there. */
async function made(
  name: string,
  bin: string,
  args: (path: string) => readonly string[],
): Promise<string> {
  const path = join(flags.out, name);
  if (existsSync(path)) process.stderr.write(`${path} is there, and used again\n`);
  else await command(bin, [...args(path), "--quiet"]);
  return path;
}

/** Runs a built command; returns its standard output. */
async function command(bin: string, args: readonly string[]): Promise<string> {
  process.stderr.write(`${bin} ${args.join(" ")}\n`);
  const script = join(root, "packages", bin, "bin", `${bin}.js`);
  try {
    const { stdout } = await promisify(execFile)(process.execPath, [script, ...args], {
      maxBuffer: 2 ** 28,
    });
    return stdout;
  } catch (error) {
    const stderr =
      error instanceof Error && "stderr" in error ? String(error.stderr) : String(error);
    throw new UserError("E_INPUT_BROKEN", stderr.trim(), {
      hint: `it was ${bin} that failed`,
      cause: error,
    });
  }
}

interface Spread {
  readonly mean: number;
  /** Standard deviation, n − 1; 0 of one fold. */
  readonly deviation: number;
}

function spreadOf(values: readonly number[]): Spread {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return { mean, deviation: Math.sqrt(squares / Math.max(1, values.length - 1)) };
}

function summary(results: ReadonlyMap<string, readonly Result[]>) {
  return [...results].map(([name, folds]) => ({
    name,
    uar: spreadOf(folds.map(({ uar }) => uar)),
    accuracy: spreadOf(folds.map(({ accuracy }) => accuracy)),
    folds: folds.map(({ uar, accuracy }) => ({ uar, accuracy })),
  }));
}

function report(
  {
    clips,
    speakers,
    folds,
  }: { readonly clips: number; readonly speakers: number; readonly folds: readonly number[] },
  results: ReadonlyMap<string, readonly Result[]>,
): string {
  const cell = ({ mean, deviation }: Spread): string =>
    `${(100 * mean).toFixed(1)} ± ${(100 * deviation).toFixed(1)}`;
  return [
    `CREMA-D, ${clips} clips of ${speakers} speakers, acted labels; test speakers of ${folds.length} folds (EMO-SUPERB's ${folds.join(", ")})`,
    "",
    table([
      ["%", "macro recall", "accuracy"],
      ...summary(results).map(({ name, uar, accuracy }) => [name, cell(uar), cell(accuracy)]),
      ["chance", "16.7", "16.7"],
    ]),
    "",
    `mean ± standard deviation over folds; speakers apart in training, validation and test; ${flags.epochs} epochs, seed ${flags.seed}`,
  ].join("\n");
}
