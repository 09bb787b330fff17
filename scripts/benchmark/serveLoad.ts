/**
 * Loads the service from many clients on loopback: requests a second, latencies, errors, memory.
 *
 *     pnpm bench:serve [--requests 20000] [--clients 32] [--alone 100]
 *
 * First one client alone asks `--alone` times for each kind of input: the median is the server's time, and loopback. Then the clients
 * ask for pictures and clips by turns. Inputs are made: a room with a face (640 × 480, the face is looked for), an aligned face
 * (96 × 96), 3 s of speech (WAV, 16 kHz). Memory is that of the process that listens and of the one that predicts (Linux).
 */
import { Agent, request } from "node:http";
import { parseArgs } from "node:util";
import sharp from "sharp";
import { drawFace } from "../sample/faces.ts";
import { SAMPLE_RATE_HZ, synthesizeSpeech } from "../sample/speech.ts";
import { encodeWav } from "../../packages/core/src/audio/encodeWav.ts";
import { descendantsOf, memoryOf, startServe } from "./startServe.ts";

const { values: flags } = parseArgs({
  options: {
    requests: { type: "string", default: "20000" },
    clients: { type: "string", default: "32" },
    alone: { type: "string", default: "100" },
  },
});
const [requests, clients, alone] = [flags.requests, flags.clients, flags.alone].map(Number) as [
  number,
  number,
  number,
];

interface Ask {
  readonly type: string;
  readonly body: Buffer;
  readonly path: string;
}

const asks = await makeAsks();
const agent = new Agent({ keepAlive: true, maxSockets: clients });
const served = await startServe(["--quiet"]);
try {
  await measureAlone();
  await measureLoad();
} finally {
  agent.destroy();
  console.log(`exit status after SIGTERM: ${await served.stop()}`);
}

async function makeAsks(): Promise<Record<string, Ask>> {
  const face = await drawFace({ emotion: "happy", face: 1, seed: 7 });
  const large = await sharp(face).resize(200, 200).toBuffer();
  const room = await sharp({ create: { width: 640, height: 480, channels: 3, background: "grey" } })
    .composite([{ input: large, left: 160, top: 60 }])
    .jpeg()
    .toBuffer();
  const aligned = await sharp(face).resize(96, 96).png().toBuffer();
  const speech = synthesizeSpeech({ emotion: "happy", speaker: 1, sentence: "DFA", seed: 7 });
  const clip = Float32Array.from(
    { length: 3 * SAMPLE_RATE_HZ },
    (_, at) => speech[at % speech.length] ?? 0,
  );
  const wav = encodeWav(clip, SAMPLE_RATE_HZ);
  const path = "/predict";
  return {
    "picture, face looked for": { type: "image/jpeg", body: room, path },
    "picture, aligned": { type: "image/png", body: aligned, path },
    "clip of 3 s": { type: "audio/wav", body: wav, path },
    "picture, with view": { type: "image/jpeg", body: room, path: `${path}?view=true` },
    "clip of 3 s, with view": { type: "audio/wav", body: wav, path: `${path}?view=true` },
  };
}

/** Milliseconds until the whole answer is there, and its status; 0 where there was none. */
function ask({ type, body, path }: Ask): Promise<{ readonly ms: number; readonly status: number }> {
  const started = performance.now();
  return new Promise((settle) => {
    const end = (status: number): void => settle({ ms: performance.now() - started, status });
    const headers = { "content-type": type, "content-length": body.length };
    request(`${served.url}${path}`, { method: "POST", agent, headers }, (response) => {
      response.resume().on("end", () => end(response.statusCode ?? 0));
    })
      .on("error", () => end(0))
      .end(body);
  });
}

async function measureAlone(): Promise<void> {
  for (const [name, it] of Object.entries(asks)) {
    const times: number[] = [];
    for (let i = 0; i < alone; i += 1) {
      const { ms, status } = await ask(it);
      if (status !== 200) throw new Error(`${name}: status ${status}`);
      times.push(ms);
    }
    console.log(`${name.padEnd(26)} ${told(times)}`);
  }
}

async function measureLoad(): Promise<void> {
  const kinds = Object.values(asks).slice(0, 3);
  const times: number[] = [];
  const statuses = new Map<number, number>();
  let next = 0;
  const started = performance.now();
  console.log(`memory at the start        ${memory()}`);
  const client = async (): Promise<void> => {
    while (next < requests) {
      const it = kinds[next % kinds.length]!;
      next += 1;
      if (next % Math.ceil(requests / 4) === 0)
        console.log(`memory after ${String(next).padEnd(13)} ${memory()}`);
      const { ms, status } = await ask(it);
      times.push(ms);
      statuses.set(status, (statuses.get(status) ?? 0) + 1);
    }
  };
  await Promise.all(Array.from({ length: clients }, client));
  const seconds = (performance.now() - started) / 1000;
  console.log(`memory at the end          ${memory()}`);
  console.log(
    `${clients} clients, ${requests} requests   ${(requests / seconds).toFixed(1)} a second, ${told(times)}`,
  );
  console.log(
    `statuses                   ${[...statuses].map(([status, n]) => `${status}: ${n}`).join(", ")}`,
  );
}

function told(times: readonly number[]): string {
  const sorted = [...times].sort((a, b) => a - b);
  const at = (part: number): string =>
    (sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))] ?? NaN).toFixed(1);
  return `least ${at(0)} ms, p50 ${at(0.5)} ms, p95 ${at(0.95)} ms, p99 ${at(0.99)} ms`;
}

function memory(): string {
  const predictors = descendantsOf(served.pid).map((pid) => memoryOf(pid).toFixed(0));
  return `listens ${memoryOf(served.pid).toFixed(0)} MiB, predicts ${predictors.join(" + ")} MiB`;
}
