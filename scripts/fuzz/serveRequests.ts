import { connect } from "node:net";
import sharp from "sharp";
import { createRandom } from "../../packages/core/src/random.ts";
import { drawFace } from "../sample/faces.ts";
import { SAMPLE_RATE_HZ, synthesizeSpeech } from "../sample/speech.ts";
import { encodeWav } from "../../packages/core/src/audio/encodeWav.ts";
import { type Corpus, mutated } from "./mutate.ts";

/** What came of a request: the status, 0 where the connection ended without one, and the answer. */
export interface FuzzOutcome {
  readonly status: number;
  readonly text: string;
}

/** Whole files of the kinds that the service takes. */
async function serveCorpus(): Promise<Corpus> {
  const face = await drawFace({ emotion: "happy", face: 1, seed: 7 });
  const wall = sharp({ create: { width: 200, height: 150, channels: 3, background: "grey" } });
  const speech = synthesizeSpeech({ emotion: "happy", speaker: 1, sentence: "DFA", seed: 7 });
  return [
    face,
    await sharp(face).png().toBuffer(),
    await sharp(face).webp().toBuffer(),
    await sharp(face).gif().toBuffer(),
    await sharp(face).tiff().toBuffer(),
    await wall.jpeg().toBuffer(),
    encodeWav(speech.subarray(0, SAMPLE_RATE_HZ), SAMPLE_RATE_HZ),
    encodeWav(speech.subarray(0, 1000), 8000),
    Buffer.from("#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1:9/a.ts\n"),
  ];
}

const TYPES = [
  "image/png",
  "image/jpeg",
  "audio/wav",
  "audio/mpeg",
  "video/mp4",
  "text/plain",
  "multipart/form-data",
  "",
];
const FIELDS = [
  "image",
  "image",
  "audio",
  "audio",
  "video",
  "file",
  "audio_files",
  "top",
  "__proto__",
  "",
];
const PATHS = [
  "/predict",
  "/predict?view=true",
  "/predict?top=3&fps=1",
  "/predict?window=1",
  "/predict?top=x",
  "/analyze",
  "/upload",
];
const ASKS = [
  "/health",
  "/models",
  "/cards/face_cnn",
  "/cards/..%2f",
  "/jobs/1",
  "/openapi.json",
  "/%00",
  "/docs/",
  "/metrics",
  "*",
  "//",
  "/predict",
];
const METHODS = ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "TRACE", "NONE"];

/** The bytes of the `index`-th request: the same for the same corpus and seed. */
function fuzzRequest(corpus: Corpus, seed: number, index: number): Buffer {
  const random = createRandom((seed ^ Math.imul(index, 0x85ebca6b)) >>> 0);
  const pick = <T>(values: readonly T[]): T => values[Math.floor(random() * values.length)]!;
  const roll = random();
  if (roll < 0.1)
    return Buffer.from(
      `${pick(METHODS)} ${pick(ASKS)} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n`,
    );
  const file = random() < 0.35 ? pick(corpus) : mutated(corpus, seed, index);
  const path = pick(PATHS);
  const whole =
    random() < 0.5 ? rawRequest(path, pick(TYPES), file) : formRequest(path, pick(FIELDS), file);
  return roll < 0.7 ? whole : mutated([whole], seed, index); // damaged in the protocol too
}

function rawRequest(path: string, type: string, body: Buffer): Buffer {
  const head = `POST ${path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-type: ${type}\r\ncontent-length: ${body.length}\r\n\r\n`;
  return Buffer.concat([Buffer.from(head), body]);
}

function formRequest(path: string, field: string, file: Buffer): Buffer {
  const part = `--b\r\ncontent-disposition: form-data; name="${field}"; filename="../x"\r\n\r\n`;
  const body = Buffer.concat([Buffer.from(part), file, Buffer.from("\r\n--b--\r\n")]);
  return rawRequest(path, "multipart/form-data; boundary=b", body);
}

/** Without an answer for so long, a client leaves, milliseconds: the request was not whole. */
const PATIENCE_MS = 5000;
/** A request that is not whole is left after this. */
const HALF_MS = 200;

/** Sends bytes as they are. */
function sendBytes(port: number, bytes: Buffer, isWhole: boolean): Promise<FuzzOutcome> {
  return new Promise((settle) => {
    const socket = connect(port, "127.0.0.1").setEncoding("latin1");
    let text = "";
    socket.setTimeout(isWhole ? PATIENCE_MS : HALF_MS, () => socket.destroy());
    socket.on("data", (piece: string) => (text += piece));
    socket.on("error", () => {});
    socket.on("close", () =>
      settle({ status: Number(/^HTTP\/1\.1 (\d+)/.exec(text)?.[1] ?? 0), text }),
    );
    socket.write(bytes);
  });
}

/** Sends requests `from` up to `to`, so many at once; `onOutcome` sees each. */
export async function fuzzService(
  port: number,
  {
    seed,
    from,
    to,
    atOnce,
  }: { readonly seed: number; readonly from: number; readonly to: number; readonly atOnce: number },
  onOutcome: (index: number, outcome: FuzzOutcome) => void,
): Promise<void> {
  const corpus = await serveCorpus();
  let next = from;
  const client = async (): Promise<void> => {
    while (next < to) {
      const index = next;
      next += 1;
      onOutcome(index, await sendBytes(port, fuzzRequest(corpus, seed, index), index % 8 !== 0));
    }
  };
  await Promise.all(Array.from({ length: atOnce }, client));
}
