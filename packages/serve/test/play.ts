import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { type AppOptions, createApp } from "../src/app.ts";
import { DEFAULT_LIMITS, type Limits } from "../src/limits.ts";
import type { Answer, Job } from "../src/protocol.ts";
import { createQueue } from "../src/queue.ts";
import type { Lane, Service } from "../src/service.ts";

export const ANSWER = {
  emotion: "happy",
  confidence: 1,
  emotion_probs: { happy: 1 },
  anomaly_score: null,
  anomaly_flag: null,
  engine: "played",
  modalities: { image: { present: true }, audio: { present: false, cause: "not given" } },
  notes: [],
} as const;

interface Played extends Partial<Omit<AppOptions, "service">> {
  readonly run?: Lane["predictor"]["run"];
  readonly limits?: Partial<Limits>;
}

/** A service whose predictor is played; it ends with the test. */
export async function play({
  run = async ({ input }) => ({ ...input, ...ANSWER }),
  limits,
  ...options
}: Played = {}) {
  const folder = mkdtempSync(join(tmpdir(), "emotion-service-app-"));
  const lane = (): Lane => ({
    predictor: { run, restarts: () => 0 },
    queue: createQueue(),
    visitors: 0,
  });
  const service: Service = {
    about: { classifier: null, detector: null, encoders: { image: null, audio: null } },
    limits: { ...DEFAULT_LIMITS, ...limits },
    lanes: { now: lane(), later: lane() },
    folder,
    isDraining: false,
  };
  const log: string[] = [];
  const app = await createApp({
    service,
    version: "0",
    backend: undefined,
    pageFolder: join(folder, "none"),
    token: undefined,
    corsOrigins: [],
    onlyLocalNames: true,
    log: { write: (line: string) => log.push(line) > 0 },
    ...options,
  });
  onTestFinished(async () => {
    await app.close();
    rmSync(folder, { recursive: true, force: true });
  });
  return { app, service, log, folder };
}

export const PICTURE = {
  method: "POST",
  url: "/predict",
  headers: { "content-type": "image/png" },
  payload: "picture",
} as const;

/** Answers when it is told to. */
export function createGate() {
  let open = (): void => {};
  const opened = new Promise<void>((settle) => (open = settle));
  return {
    open: () => open(),
    run: async ({ input }: Job): Promise<Answer> => opened.then(() => ({ ...input, ...ANSWER })),
  };
}
