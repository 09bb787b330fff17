import { accessSync, constants, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { delimiter, join, resolve } from "node:path";
import { PassThrough, type Readable } from "node:stream";
import { ABORTED, UserError, causeOf, throwIfAborted } from "../errors.ts";

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
  const found = findOnPath(name, environment) ?? packagedFfmpeg();
  if (found !== undefined) return found;
  throw new UserError(
    "E_UNAVAILABLE",
    "ffmpeg: needed for video and for sound other than WAV and FLAC, not found",
    {
      hint: "install ffmpeg, or name it in FFMPEG_PATH",
    },
  );
}

/** util-linux's prlimit, which bounds what a program may take; undefined where it is not there, or less is allowed anyway. */
function findPrlimit(): string | undefined {
  return allowedMemory() < MOST_MEMORY_BYTES ? undefined : findOnPath("prlimit", process.env);
}

/** Whether something bounds the memory that ffmpeg may take. */
export function isFfmpegBounded(): boolean {
  return allowedMemory() < MOST_MEMORY_BYTES || findPrlimit() !== undefined;
}

/** Bytes of address space that this process and its children may have, where Linux says that there is a bound: none may raise it. */
function allowedMemory(): number {
  try {
    const [, hard] =
      /^Max address space +\S+ +(\d+)/m.exec(readFileSync("/proc/self/limits", "latin1")) ?? [];
    return hard === undefined ? Infinity : Number(hard);
  } catch {
    return Infinity; // no /proc here
  }
}

function findOnPath(name: string, environment: NodeJS.ProcessEnv): string | undefined {
  return (environment["PATH"] ?? "")
    .split(delimiter)
    .filter((folder) => folder !== "")
    .map((folder) => join(folder, name))
    .find(isProgram);
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
  /** Takes what ffmpeg says of its work, line by line. */
  readonly onLine?: (line: string) => void;
}

/**
 * What ffmpeg may read: containers that hold all that they play. A playlist, a concat script or a list of segments, whatever its
 * name, would have it open other files and hosts.
 */
const FORMATS = [
  "mov,matroska,webm,avi,flv,asf,mpeg,mpegts,mpegvideo,ogg,nut,mxf,gxf,rm,ivf,dv,wtv,nsv,gif,yuv4mpegpipe",
  "h261,h263,h264,hevc,av1,obu,m4v,mjpeg,vc1,cavsvideo",
  "wav,w64,aiff,au,caf,flac,mp3,aac,loas,ac3,eac3,dts,truehd,mlp,amr,amrnb,amrwb,ape,wv,tta,tak,mpc,mpc8,shn,oma,dsf",
  "voc,sox,nistsphere,ircam,paf,pvf,avr,sln,gsm,g722,g729,ilbc,qcp,iff,xwma",
].join(",");
/** Without output for this long while somebody waits for it, ffmpeg hangs. */
const STALL_SECONDS = 300;

/** What ends a run that does not end by itself. */
export interface FfmpegLimits {
  /** For all of it. */
  readonly limitMs?: number | undefined;
  /** Without output; for a test. */
  readonly stallSeconds?: number;
  readonly signal?: AbortSignal | undefined;
  /** Of a frame, width · height: a larger one is not decoded. */
  readonly pixels?: number | undefined;
}

/** As many as sharp decodes of a picture, unless less is said. */
const MOST_PIXELS = 0x3fff ** 2;

/**
 * What ffmpeg may take of a machine, as far as prlimit (util-linux) is there to say so: bytes of address space, so that no damaged file
 * makes it ask for all of the memory. A reader's limit of time bounds the rest.
 */
const MOST_MEMORY_BYTES = 16 * 2 ** 30; // many cores have many threads, each with room of its own

type Tell = (error: null, found: object) => void;

/**
 * Runs ffmpeg on one input and streams its output. It is ended when the stream is left, and with this thread.
 * The stream ends with a UserError E_INPUT_BROKEN when ffmpeg cannot read the input, takes longer than `limitMs`, or hangs;
 * with E_ABORTED once the signal has fired.
 */
export async function runFfmpeg(
  input: string,
  output: FfmpegOutput,
  limits: FfmpegLimits = {},
): Promise<Readable> {
  throwIfAborted(limits.signal);
  const program = findFfmpeg();
  const prlimit = findPrlimit();
  const { default: ffmpeg } = await import("fluent-ffmpeg");
  // The stream ends when ffmpeg has ended well, not when its pipe closes: an error may be on its way.
  let hasSucceeded = (): void => {};
  const success = new Promise<void>((settle) => (hasSucceeded = settle));
  const quiet = { seconds: 0 };
  const stream = new PassThrough({
    transform: (chunk, _encoding, done) => {
      quiet.seconds = 0;
      done(null, chunk);
    },
    flush: (done) => void success.then(() => done()),
  });
  const command = ffmpeg(resolve(input)) // of "12:30.mp4" ffmpeg would take "12:" for a protocol
    .setFfmpegPath(prlimit ?? program)
    .inputOptions([
      ...(prlimit === undefined ? [] : [`--as=${MOST_MEMORY_BYTES}`, "--core=0", program]),
      "-nostdin",
      "-protocol_whitelist",
      "file,pipe",
      "-format_whitelist",
      FORMATS,
      "-max_pixels",
      String(limits.pixels ?? MOST_PIXELS),
    ])
    .outputOptions([...output.options])
    .format(output.format)
    .on("start", () => {
      if (stream.destroyed) command.kill("SIGKILL"); // the limit passed before it came to start
    })
    .on("end", hasSucceeded)
    .on("stderr", (line: string) => output.onLine?.(line))
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
  guard(stream, input, { ...limits, quiet }, () => void command.kill("SIGKILL"));
  command.pipe(stream, { end: true });
  return stream;
}

/**
 * Sees to it that a program ends with its stream and with this thread, and its stream at the limits.
 * @param limits.quiet seconds since the last output: counted, so that none passes while this process is stopped (Ctrl-Z)
 */
function guard(
  stream: PassThrough,
  input: string,
  limits: FfmpegLimits & { readonly quiet: { seconds: number } },
  kill: () => void,
): void {
  const { limitMs, stallSeconds = STALL_SECONDS, signal, quiet } = limits;
  const stop = (cause: string): void =>
    void stream.destroy(new UserError("E_INPUT_BROKEN", `${input}: ${cause}`));
  const abort = (): void => void stream.destroy(new UserError("E_ABORTED", ABORTED));
  const timer =
    limitMs === undefined
      ? undefined
      : setTimeout(() => stop(`took longer than ${limitMs / 1000} s`), limitMs);
  const watch = setInterval(() => {
    quiet.seconds += 1;
    if (stream.readableLength > 0) quiet.seconds = 0; // it is the reader that takes its time
    if (quiet.seconds >= stallSeconds) stop(`ffmpeg hangs: nothing came for ${stallSeconds} s`);
  }, 1000);
  process.on("exit", kill); // programs outlive a worker thread
  signal?.addEventListener("abort", abort);
  if (signal?.aborted === true) abort();
  stream.on("close", () => {
    clearTimeout(timer);
    clearInterval(watch);
    process.off("exit", kill);
    signal?.removeEventListener("abort", abort);
    if (!stream.readableEnded) kill();
  });
}

const NO_TRACK = "it has no track of the kind that is wanted";
/** What ffmpeg says at length, or in words for who runs it. */
const CAUSES: readonly (readonly [said: string, cause: string])[] = [
  ["does not contain any stream", NO_TRACK],
  ["matches no streams", NO_TRACK],
  ["nothing was encoded", "nothing in it can be decoded"],
  ["moov atom not found", "its table of contents is missing: it was cut short, or never finished"],
  ["not on whitelist", "it is no sound and no video, or a list of other files"],
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
