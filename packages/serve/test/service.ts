import { mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { afterAll, beforeAll } from "vitest";
import { type Served, startServe } from "../../../scripts/benchmark/startServe.ts";
import { drawFace } from "../../../scripts/sample/faces.ts";
import { SAMPLE_RATE_HZ, synthesizeSpeech } from "../../../scripts/sample/speech.ts";
import { encodeWav } from "@emotion-service/core/audio/encodeWav";
import { drawRoom, makeVideo } from "../../../test/video.ts";

/** A service that runs for a file of tests, and the folder where it keeps what clients send. */
export interface TestService extends Served {
  readonly temporary: string;
}

/** Starts the built `serve` before the tests of a file, with a temporary folder of its own. */
export function useService(
  args: readonly string[] = [],
  env: Record<string, string> = {},
): () => TestService {
  let service: TestService | undefined;
  let temporary = "";
  beforeAll(async () => {
    temporary = mkdtempSync(join(tmpdir(), "emotion-service-test-"));
    service = { ...(await startServe(args, { TMPDIR: temporary, ...env })), temporary };
  });
  afterAll(async () => {
    await service?.stop();
    rmSync(temporary, { recursive: true, force: true });
  });
  return () => {
    if (service === undefined) throw new Error("the service has not started");
    return service;
  };
}

/** What lies in the folder where a service keeps what clients send: none once all are answered. */
export function filesLeft({ temporary }: TestService): string[] {
  const [own = ""] = readdirSync(temporary).filter((name) =>
    name.startsWith("emotion-service-serve"),
  );
  return readdirSync(join(temporary, own), { recursive: true }).map(String);
}

/** A body for fetch: files by their fields, and other fields. */
export function formOf(
  files: Readonly<Record<string, readonly [bytes: Uint8Array, name: string]>>,
  fields: Readonly<Record<string, string>> = {},
): FormData {
  const form = new FormData();
  for (const [name, value] of Object.entries(fields)) form.append(name, value);
  for (const [field, [bytes, name]] of Object.entries(files))
    form.append(field, new Blob([Uint8Array.from(bytes)]), name);
  return form;
}

/** Made speech, a second or two, as WAV. */
export function speechWav(): Buffer {
  const samples = synthesizeSpeech({ emotion: "happy", speaker: 1, sentence: "DFA", seed: 7 });
  return encodeWav(samples, SAMPLE_RATE_HZ);
}

/** Zeros, as WAV. */
export function silenceWav(seconds: number): Buffer {
  return encodeWav(new Float32Array(seconds * SAMPLE_RATE_HZ), SAMPLE_RATE_HZ);
}

/** A made face, 48 × 48. */
export function facePng(): Promise<Buffer> {
  return drawFace({ emotion: "happy", face: 1, seed: 7 });
}

/** A grey picture without a face. */
export function greyPng(width: number, height: number): Promise<Buffer> {
  return sharp({ create: { width, height, channels: 3, background: "grey" } })
    .png()
    .toBuffer();
}

/** A video of two seconds, a still room with a face in it and a tone, `name` in a folder. */
export async function makeFaceVideo(folder: string, name: string): Promise<void> {
  mkdirSync(folder, { recursive: true });
  await drawRoom(join(folder, "room.png"));
  makeVideo(folder, name, "room.png", [
    "lavfi:sine=frequency=300:sample_rate=16000:duration=2",
    "-c:a",
    "aac",
  ]);
}
