import { accessSync, constants } from "node:fs";
import { createRequire } from "node:module";
import { delimiter, join, resolve } from "node:path";
import { PassThrough, type Readable } from "node:stream";
import { UserError, causeOf } from "../errors.ts";

/**
 * The ffmpeg program: FFMPEG_PATH, else the first on PATH, else the one inside the optional npm package
 * @ffmpeg-installer/ffmpeg.
 * @throws UserError E_UNAVAILABLE when there is none
 */
export function findFfmpeg(environment: NodeJS.ProcessEnv = process.env): string {
  const named = environment["FFMPEG_PATH"];
  if (named !== undefined && named !== "") {
    if (isProgram(named)) return named;
    throw new UserError(
      "E_UNAVAILABLE",
      `FFMPEG_PATH ${named}: must be a program that may be run`,
      {
        hint: "correct the variable or unset it",
      },
    );
  }
  const name = process.platform === "win32" ? "ffmpeg.exe" : "ffmpeg";
  const onPath = (environment["PATH"] ?? "")
    .split(delimiter)
    .filter((folder) => folder !== "")
    .map((folder) => join(folder, name))
    .find(isProgram);
  const found = onPath ?? packagedFfmpeg();
  if (found !== undefined) return found;
  throw new UserError(
    "E_UNAVAILABLE",
    "ffmpeg: needed for video and for sound other than WAV and FLAC, not found",
    {
      hint: "install ffmpeg, or name it in FFMPEG_PATH",
    },
  );
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

function packagedFfmpeg(): string | undefined {
  try {
    const { path } = createRequire(import.meta.url)("@ffmpeg-installer/ffmpeg") as { path: string };
    return isProgram(path) ? path : undefined;
  } catch {
    return undefined; // the package is optional, and has no build for every platform
  }
}

/** What ffmpeg is to write: a container for a pipe, and its options. */
export interface FfmpegOutput {
  readonly format: string;
  readonly options: readonly string[];
}

type Tell = (error: null, found: object) => void;

/**
 * Runs ffmpeg on one input and streams its output.
 * The stream ends with a UserError E_INPUT_BROKEN when ffmpeg cannot read the input, or takes longer than `limitMs`.
 */
export async function runFfmpeg(
  input: string,
  output: FfmpegOutput,
  limitMs?: number,
): Promise<Readable> {
  const program = findFfmpeg();
  const { default: ffmpeg } = await import("fluent-ffmpeg");
  // The stream ends when ffmpeg has ended well, not when its pipe closes: an error may be on its way.
  let hasSucceeded = (): void => {};
  const success = new Promise<void>((settle) => (hasSucceeded = settle));
  const stream = new PassThrough({ flush: (done) => void success.then(() => done()) });
  const command = ffmpeg(resolve(input)) // of "12:30.mp4" ffmpeg would take "12:" for a protocol
    .setFfmpegPath(program)
    .inputOptions(["-nostdin", "-protocol_whitelist", "file,pipe"])
    .outputOptions([...output.options])
    .format(output.format)
    .on("start", () => {
      if (stream.destroyed) command.kill("SIGKILL"); // the limit passed before it came to start
    })
    .on("end", hasSucceeded)
    .on("error", (error: Error, _stdout: string | null, stderr: string | null) =>
      stream.destroy(
        new UserError(
          "E_INPUT_BROKEN",
          `${input}: ffmpeg cannot read it (${ffmpegCause(stderr, error)})`,
          {
            cause: error,
          },
        ),
      ),
    );
  // fluent-ffmpeg would first ask ffmpeg for these, in processes that nobody ends should they hang.
  Object.assign(command, {
    availableFormats: (tell: Tell) => tell(null, { [output.format]: { canMux: true } }),
    availableEncoders: (tell: Tell) => tell(null, {}),
  });
  const stop = (): void =>
    void stream.destroy(
      new UserError("E_INPUT_BROKEN", `${input}: took longer than ${(limitMs ?? 0) / 1000} s`),
    );
  const timer = limitMs === undefined ? undefined : setTimeout(stop, limitMs);
  stream.on("close", () => {
    clearTimeout(timer);
    if (!stream.readableEnded) command.kill("SIGKILL");
  });
  command.pipe(stream, { end: true });
  return stream;
}

/** What ffmpeg says at length, or in words for who runs it. */
const CAUSES: readonly (readonly [said: string, cause: string])[] = [
  ["does not contain any stream", "it has no track of the kind that is wanted"],
  ["nothing was encoded", "nothing in it can be decoded"],
];

/** ffmpeg's last word on what went wrong. */
function ffmpegCause(stderr: string | null, error: unknown): string {
  const lines = (stderr ?? "").split("\n").map((line) => line.trim());
  const known = CAUSES.find(([said]) => lines.some((line) => line.includes(said)));
  if (known !== undefined) return known[1];
  const telling = lines.filter(
    (line) =>
      /invalid|error|no such|not found|unknown|end of file/i.test(line) &&
      !line.includes("overhead"),
  );
  return telling.at(-1)?.replace(/^.*?: /, "") ?? causeOf(error);
}
