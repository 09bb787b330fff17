import { mkdirSync, truncateSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { readCsv } from "@emotion-service/core/files/manifest";
import { readPreprocessedAudio } from "@emotion-service/core/hdf5/preprocessedAudio";
import { synthesizeSpeech } from "../../../scripts/sample/speech.ts";
import { encodeWav } from "@emotion-service/core/audio/encodeWav";
import { temporaryFolder } from "../../../test/command.ts";

const SAMPLE_RATE_HZ = 16_000;
/** A second of speech-like sound. */
const speech = synthesizeSpeech({
  speaker: 1001,
  sentence: "DFA",
  emotion: "happy",
  seed: 7,
}).slice(4000, 20_000);

/** WAV bytes of a clip: a second of speech by default. */
export function clip({ seconds = 1, silent = false, sampleRateHz = SAMPLE_RATE_HZ } = {}): Buffer {
  const samples = Float32Array.from({ length: Math.round(seconds * sampleRateHz) }, (_, i) =>
    silent ? 0 : (speech[i % speech.length] ?? 0),
  );
  return encodeWav(samples, sampleRateHz);
}

const HOURS = 3600;

/** Writes a WAV file of hours of silence, at 44.1 kHz: it takes no room on the disk, and seconds to read. */
export function writeLongClip(path: string, seconds = 3 * HOURS): void {
  const bytes = clip({ seconds: 0.1, sampleRateHz: 44_100 });
  const size = seconds * 44_100 * 2;
  bytes.writeUInt32LE(size + 36, 4);
  bytes.writeUInt32LE(size, 40);
  writeFileSync(path, bytes);
  truncateSync(path, 44 + size);
}

/** A folder `clips` of these files in a new temporary folder, which is returned. */
export function folderOf(files: Readonly<Record<string, string | Uint8Array>>): string {
  const folder = temporaryFolder();
  mkdirSync(join(folder, "clips"));
  for (const [name, content] of Object.entries(files)) {
    const path = join(folder, "clips", name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, content);
  }
  return folder;
}

/** All of a preprocessed-audio file; its rows with the extras below the log-mel where these are wanted. */
export function readRows(path: string, withExtras = false) {
  return readPreprocessedAudio(
    path,
    "--in",
    (facts, rows) => ({ ...facts, rows: [...rows] }),
    withExtras,
  );
}

/** The manifest's lines by column. */
export function readManifest(path: string) {
  return readCsv(path, "--manifest", []);
}
