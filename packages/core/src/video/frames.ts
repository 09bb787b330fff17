import { runFfmpeg } from "../audio/ffmpeg.ts";
import type { RgbImage } from "../face/image.ts";

/** Frames wider than this are scaled down: the face in them stays larger than what the encoder wants. */
const MAX_WIDTH = 960;

/**
 * The pictures of a video at `fps` frames a second, in order, one at a time (rotation applied).
 * @throws UserError E_INPUT_BROKEN when ffmpeg cannot read it or it has no picture
 */
export async function* videoFrames(path: string, fps: number): AsyncGenerator<RgbImage> {
  const stream = await runFfmpeg(path, {
    format: "image2pipe",
    options: [
      "-an",
      "-vf",
      `fps=${fps},scale='min(${MAX_WIDTH},iw)':-2`,
      "-c:v",
      "ppm",
      "-pix_fmt",
      "rgb24",
    ],
  });
  let held = Buffer.alloc(0);
  for await (const chunk of stream) {
    held = Buffer.concat([held, chunk as Buffer]);
    for (let frame = takeFrame(held); frame !== undefined; frame = takeFrame(held)) {
      held = held.subarray(frame.bytes);
      yield frame.image;
    }
  }
}

/** The first whole PPM picture ("P6", width, height, 255, pixels) in the bytes. */
function takeFrame(bytes: Buffer): { image: RgbImage; bytes: number } | undefined {
  const header = /^P6\s(\d+)\s(\d+)\s255\s/.exec(bytes.toString("latin1", 0, 64));
  if (header === null) return undefined;
  const [width, height] = [Number(header[1]), Number(header[2])];
  const start = header[0].length;
  const end = start + width * height * 3;
  if (bytes.length < end) return undefined;
  return { image: { data: bytes.subarray(start, end), width, height }, bytes: end };
}
