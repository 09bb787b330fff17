import { Command, Option } from "@commander-js/extra-typings";
import { integerIn, numberIn, numberOption } from "@emotion-service/core/cli/flags";
import type { CliIo } from "@emotion-service/core/cli/run";
import { AUDIO_ENCODERS, IMAGE_ENCODERS } from "@emotion-service/core/predict/encoderNames";
import { DEFAULT_LIMITS } from "./limits.ts";

const MEGABYTE = 2 ** 20;

/** The flags of serve; the action calls serve, which returns when Ctrl-C or a TERM signal ends it. */
export function createProgram(io: CliIo) {
  return new Command("serve")
    .description("The models as a local service: an HTTP API and a page.")
    .option("--host <address>", "where to listen; other than loopback needs a token", "127.0.0.1")
    .addOption(
      numberOption(
        "--port <n>",
        "where to listen; 0: any that is free",
        5002,
        integerIn(0, 65_535),
      ),
    )
    .option(
      "--token <text>",
      "clients must send it: Authorization: Bearer <text> (default: EMOTION_SERVICE_TOKEN, which other users of this machine cannot see)",
    )
    .option(
      "--multimodal <folder>",
      "trained classifier, as predict's (default, where no model is named: what comes along, face_cnn and audio_cnn)",
    )
    .option("--isolation <file>", "trained anomaly detector, as predict's")
    .addOption(new Option("--image_encoder <name>", "as predict's").choices(IMAGE_ENCODERS))
    .addOption(new Option("--audio_encoder <name>", "as predict's").choices(AUDIO_ENCODERS))
    .option("--weights <file>", "as predict's")
    .option("--audio_weights <path>", "as predict's")
    .addOption(
      numberOption(
        "--max_body <MB>",
        "bytes of a request",
        DEFAULT_LIMITS.bodyBytes / MEGABYTE,
        numberIn(0.01, 16_384),
      ),
    )
    .addOption(
      numberOption(
        "--max_seconds <s>",
        "length of a sound or a video",
        DEFAULT_LIMITS.mediaSeconds,
        numberIn(1, 86_400),
      ),
    )
    .addOption(
      numberOption(
        "--max_pixels <n>",
        "width times height of a picture or a frame",
        DEFAULT_LIMITS.pixels,
        integerIn(1, 268_402_689),
      ),
    )
    .addOption(
      numberOption(
        "--max_queue <n>",
        "requests that may wait; more get 503",
        DEFAULT_LIMITS.queue,
        integerIn(0, 10_000),
      ),
    )
    .addOption(
      numberOption(
        "--timeout <s>",
        "for the work on one input; of an upload at least --max_seconds",
        DEFAULT_LIMITS.timeoutSeconds,
        numberIn(1, 86_400),
      ),
    )
    .option("--quiet", "no log", false)
    .addHelpText(
      "after",
      "\nEnvironment: EMOTION_SERVICE_TOKEN; CORS_ORIGINS or FLASK_CORS_ORIGINS, origins whose pages may ask, by commas;\nBACKEND_URL, where the answers of POST /analyze also go. The log is JSON lines on stdout.",
    )
    .action(async (flags) => {
      const { serve } = await import("./serve.ts");
      const { env } = process;
      await serve({
        host: flags.host,
        port: flags.port,
        token: flags.token ?? env["EMOTION_SERVICE_TOKEN"],
        corsOrigins: originsOf(env["CORS_ORIGINS"] ?? env["FLASK_CORS_ORIGINS"] ?? ""),
        backendUrl: env["BACKEND_URL"],
        env,
        models: {
          multimodal: flags.multimodal,
          isolation: flags.isolation,
          imageEncoder: flags.image_encoder,
          audioEncoder: flags.audio_encoder,
          weights: flags.weights,
          audioWeights: flags.audio_weights,
        },
        limits: {
          bodyBytes: Math.floor(flags.max_body * MEGABYTE),
          mediaSeconds: flags.max_seconds,
          pixels: flags.max_pixels,
          queue: flags.max_queue,
          timeoutSeconds: flags.timeout,
        },
        log: flags.quiet ? undefined : io.stdout,
        onNotice: (line) => void io.stderr.write(`${line}\n`),
        signal: io.signal,
      });
    });
}

function originsOf(list: string): string[] {
  return list
    .split(",")
    .map((origin) => origin.trim().replace(/\/$/, ""))
    .filter((origin) => origin !== "");
}
