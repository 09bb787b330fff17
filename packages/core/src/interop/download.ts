import { createHash } from "node:crypto";
import { type FileHandle, open } from "node:fs/promises";
import { throwIfAborted } from "../errors.ts";
import { outputError } from "../files/outputs.ts";

export interface DownloadOptions {
  /** Bytes so far, and in all where the server says so. */
  readonly onProgress?: ((received: number, total: number | undefined) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
  /** A server that sends nothing for so long is given up. */
  readonly silenceSeconds: number;
}

/** Published weights are smaller; a server that sends without end must not fill the disk. */
const MOST_BYTES = 2 ** 32;

/**
 * Writes what is at `url` to the file `path` and returns its SHA-256, hexadecimal. What it wrote stays when it fails.
 * @throws Error whose message is the cause (no such host, HTTP status, silence, a body cut short); UserError E_ABORTED once
 *   the signal fires; UserError E_OUTPUT when the file cannot be written
 */
export async function download(
  url: string,
  path: string,
  { onProgress, signal, silenceSeconds }: DownloadOptions,
): Promise<string> {
  throwIfAborted(signal);
  const silence = new AbortController();
  const giveUp = (): void => silence.abort(new Error(`no answer within ${silenceSeconds} s`));
  const timer = setTimeout(giveUp, 1000 * silenceSeconds);
  const stop = signal === undefined ? silence.signal : AbortSignal.any([signal, silence.signal]);
  try {
    const response = await fetch(url, { signal: stop });
    if (!response.ok || response.body === null)
      throw new Error(`HTTP status ${response.status} ${response.statusText}`.trim());
    const stated = Number(response.headers.get("content-length") ?? NaN);
    const total = Number.isNaN(stated) ? undefined : stated;
    return await withFile(path, async (file) => {
      const hash = createHash("sha256");
      let received = 0;
      for await (const chunk of response.body as AsyncIterable<Uint8Array>) {
        timer.refresh();
        received += chunk.length;
        if (received > MOST_BYTES) throw new Error(`more than ${MOST_BYTES} bytes`);
        hash.update(chunk);
        await write(file, chunk, path);
        onProgress?.(received, total);
      }
      return hash.digest("hex");
    });
  } catch (error) {
    throwIfAborted(signal);
    throw silence.signal.aborted ? silence.signal.reason : error;
  } finally {
    clearTimeout(timer);
  }
}

async function withFile<T>(path: string, work: (file: FileHandle) => Promise<T>): Promise<T> {
  const file = await open(path, "wx").catch((error: unknown) => {
    throw outputError(path, error);
  });
  try {
    return await work(file);
  } finally {
    await file.close();
  }
}

async function write(file: FileHandle, chunk: Uint8Array, path: string): Promise<void> {
  try {
    await file.writeFile(chunk); // from the handle's place on, all of it
  } catch (error) {
    throw outputError(path, error);
  }
}
