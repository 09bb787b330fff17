/** Writes the sample data: `pnpm sample-data --out sample/`. */
import { statSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { UserError } from "../packages/core/src/errors.ts";
import { SAMPLE_DEFAULTS, writeFaceSample, writeSpeechSample } from "./sample/writeSample.ts";

const HELP = `sample-data: speech-like clips and drawn faces with planted emotions, made by code alone

  --out <folder>         where audio/ and faces/ go (default: sample/)
  --speakers <n>         speakers, 12 clips each (default: ${SAMPLE_DEFAULTS.speakers})
  --faces_per_class <n>  faces of each of the 6 emotions (default: ${SAMPLE_DEFAULTS.facesPerClass})
  --seed <n>             same seed, same sample (default: ${SAMPLE_DEFAULTS.seed})
`;

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  if (!(error instanceof UserError)) throw error;
  console.error(
    `sample-data: ${error.message}${error.hint === undefined ? "" : `\n  hint: ${error.hint}`}`,
  );
  process.exitCode = 1;
}

async function main(argv: readonly string[]): Promise<number> {
  const flags = readFlags(argv);
  if (flags === undefined) return 2;
  if (flags.help) {
    process.stdout.write(HELP);
    return 0;
  }
  const { out, speakers, facesPerClass, seed } = flags;
  const clips = writeSpeechSample(join(out, "audio"), { speakers, seed });
  report(`${clips.length} clips of ${speakers} speakers`, join(out, "audio"), clips);
  const faces = await writeFaceSample(join(out, "faces"), { facesPerClass, seed });
  report(`${faces.length} faces, ${facesPerClass} of each emotion`, join(out, "faces"), faces);
  return 0;
}

/** The flags, or undefined after saying what is wrong with them. */
function readFlags(argv: readonly string[]) {
  try {
    const { values } = parseArgs({
      args: argv.map((word) => word.replace(/^--faces-per-class/, "--faces_per_class")),
      options: {
        out: { type: "string", default: "sample/" },
        speakers: { type: "string", default: String(SAMPLE_DEFAULTS.speakers) },
        faces_per_class: { type: "string", default: String(SAMPLE_DEFAULTS.facesPerClass) },
        seed: { type: "string", default: String(SAMPLE_DEFAULTS.seed) },
        help: { type: "boolean", short: "h", default: false },
      },
    });
    return {
      out: values.out,
      speakers: wholeNumber("--speakers", values.speakers, 1, 999),
      facesPerClass: wholeNumber("--faces_per_class", values.faces_per_class, 1, 999),
      seed: wholeNumber("--seed", values.seed, 0, 1000),
      help: values.help,
    };
  } catch (error) {
    console.error(
      `sample-data: ${error instanceof Error ? error.message : String(error)}\n(--help lists the flags)`,
    );
    return undefined;
  }
}

function wholeNumber(flag: string, text: string, min: number, max: number): number {
  const value = Number(text);
  if (text.trim() === "" || !Number.isInteger(value) || value < min || value > max)
    throw new Error(`${flag} must be a whole number from ${min} to ${max}, got '${text}'`);
  return value;
}

function report(what: string, folder: string, names: readonly string[]): void {
  const bytes = names.reduce((sum, name) => sum + statSync(join(folder, name)).size, 0);
  console.log(`${folder}: ${what}, ${(bytes / 1e6).toFixed(1)} MB`);
}
