import { UserError, causeOf } from "@emotion-service/core/errors";
import { type Predictor, openPredictor } from "@emotion-service/core/predict/predictor";
import { aboutModels } from "./aboutModels.ts";
import type { Answer, Failure, Job, Order, Word } from "./protocol.ts";
import { createView } from "./view.ts";
import { warmUp } from "./warmUp.ts";

/** The process that holds the models: it predicts on one input at a time, and ends with the process that started it. */

let predictor: Predictor | undefined;
let running: AbortController | undefined;

const tell = (word: Word): void => void process.send?.(word);

process.on("disconnect", () => process.exit(0));
process.on("message", (order: Order) => {
  if (order.kind === "abort") running?.abort();
  else
    void obey(order).then(tell, (error: unknown) =>
      tell({ kind: "error", failure: failureOf(error) }),
    );
});

async function obey(order: Exclude<Order, { kind: "abort" }>): Promise<Word> {
  if (order.kind === "predict") return { kind: "answer", answer: await predict(order.job) };
  const { models, limits } = order;
  const onNotice = (line: string): void => tell({ kind: "notice", line });
  const inputLimits = { seconds: limits.mediaSeconds, pixels: limits.pixels };
  const options = { ...models, env: process.env, limits: inputLimits, onNotice };
  predictor = await openPredictor(options, ["image", "audio"]);
  await warmUp(predictor);
  return { kind: "ready", about: aboutModels(predictor.models, models) };
}

async function predict({ input, look, view: isWanted }: Job): Promise<Answer> {
  if (predictor === undefined) throw new Error("the models are not open");
  running = new AbortController();
  const view = isWanted ? createView() : undefined;
  const result = await predictor.predict(input, {
    fps: look.fps,
    top: look.top,
    minConfidence: look.min_confidence,
    window: look.window,
    step: look.step,
    signal: running.signal,
    tellEmpty: true,
    ...(view && { watch: view.watch }),
    onSeconds: (done, total = 0) =>
      tell({ kind: "progress", done, total: total > 0 ? total : null }),
  });
  if ("error" in result) throw new UserError("E_INPUT_BROKEN", result.error);
  return view === undefined ? result : { ...result, view: await view.finish() };
}

function failureOf(error: unknown): Failure {
  if (error instanceof UserError)
    return { code: error.code, message: error.message, hint: error.hint };
  return {
    code: "E_INTERNAL",
    message: error instanceof Error ? (error.stack ?? causeOf(error)) : causeOf(error),
  };
}
